// SPDX-License-Identifier: Apache-2.0
// Implementations that misbehave, each in its own way. They join only the program bench_scale_planted, which the end-to-end tests run.
#include <chrono>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

const Kernel& honest() { return *Registry<Kernel>::instance().find("attention/naive_cpu"); }
const Kernel& tiled() { return *Registry<Kernel>::instance().find("attention/flash_tiled_cpu"); }
std::int64_t honest_workspace(const Problem& problem) { return honest().workspace_bytes != nullptr ? honest().workspace_bytes(problem) : 0; }

/// Right everywhere but in one element of the first row.
void run_wrong(const Problem& problem, Tensors& tensors, Context& context) {
  honest().run(problem, tensors, context);
  tensors["out"].set(0, tensors["out"].at(0) + 0.25);
}
void run_nan(const Problem& problem, Tensors& tensors, Context& context) {
  honest().run(problem, tensors, context);
  tensors["out"].set(tensors["out"].count() / 2, std::numeric_limits<double>::quiet_NaN());
}
/// Leaves the last row as it was.
void run_lazy(const Problem& problem, Tensors& tensors, Context& context) {
  const double before = tensors["out"].at(tensors["out"].count() - 1);
  honest().run(problem, tensors, context);
  tensors["out"].set(tensors["out"].count() - 1, before);
}
void run_throwing(const Problem&, Tensors&, Context&) { throw std::runtime_error("the planted kernel fell over"); }
void run_out_of_memory(const Problem&, Tensors&, Context&) { throw std::bad_alloc(); }

/// The tiled kernel, made slower by as many per cent as BENCH_SCALE_PLANTED_SLOWER says: what compare and gate have to find.
void run_slowed(const Problem& problem, Tensors& tensors, Context& context) {
  using clock = std::chrono::steady_clock;
  static const double share = [] {
    const char* percent = std::getenv("BENCH_SCALE_PLANTED_SLOWER");
    return percent != nullptr ? std::atof(percent) / 100.0 : 0.0;
  }();
  const auto begin = clock::now();
  tiled().run(problem, tensors, context);
  const auto until = clock::now() + std::chrono::duration_cast<clock::duration>((clock::now() - begin) * share);
  while (clock::now() < until) {
  }
}

Kernel planted(const char* name, void (*run)(const Problem&, Tensors&, Context&), bool collective = false) {
  return {.name = name, .op = "attention", .dtypes = {DType::f32}, .collective = collective, .about = "planted by a test",
          .workspace_bytes = honest_workspace, .run = run};
}

Kernel slowed_kernel() {
  Kernel kernel = planted("attention/planted_slowed", run_slowed);
  kernel.workspace_bytes = [](const Problem& problem) -> std::int64_t { return tiled().workspace_bytes != nullptr ? tiled().workspace_bytes(problem) : 0; };
  kernel.prepare = [](const Problem& problem, Tensors& tensors, Context& context) -> std::unique_ptr<Prepared> {
    return tiled().prepare != nullptr ? tiled().prepare(problem, tensors, context) : nullptr;
  };
  return kernel;
}
const Registrar<Kernel> slowed{slowed_kernel()};
const Registrar<Kernel> wrong{planted("attention/planted_wrong", run_wrong)};
const Registrar<Kernel> nan{planted("attention/planted_nan", run_nan)};
const Registrar<Kernel> lazy{planted("attention/planted_lazy", run_lazy)};
const Registrar<Kernel> throwing{planted("attention/planted_throwing", run_throwing)};
const Registrar<Kernel> throwing_on_all{planted("attention/planted_throwing_on_all", run_throwing, true)};
const Registrar<Kernel> out_of_memory{planted("attention/planted_oom", run_out_of_memory)};

}  // namespace
}  // namespace bench::attention
