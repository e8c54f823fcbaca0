// SPDX-License-Identifier: Apache-2.0
// Implementations that misbehave, each in its own way. They join only the program bench_scale_planted, which the end-to-end tests run.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>

#include "jobs/clock.hpp"
#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

const Kernel& honest() { return *Registry<Kernel>::instance().find("attention/naive_cpu"); }
const Kernel& ring() { return *Registry<Kernel>::instance().find("attention/ring_cpu"); }
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
double milliseconds_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atof(text) : 0.0;
}
/// The ring, and then a nap: a visit of a known length that leaves the cores to others.
void run_sleepy(const Problem& problem, Tensors& tensors, Context& context) {
  ring().run(problem, tensors, context);
  static const double nap_ms = milliseconds_of("BENCH_SCALE_PLANTED_NAP_MS");
  // The problem's batch entries stretch it, so that a study has visits of several lengths.
  std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(nap_ms * static_cast<double>(problem_as<AttentionProblem>(problem).batch)));
}
/// So many processes of this machine are inside of run_crowded: a counter in the file that BENCH_SCALE_PLANTED_CROWD names.
std::atomic<int>& crowd() {
  static std::atomic<int>* const inside = [] {
    const int file = open(std::getenv("BENCH_SCALE_PLANTED_CROWD"), O_RDWR | O_CREAT, 0600);
    if (ftruncate(file, sizeof(std::atomic<int>)) != 0) throw std::runtime_error("no file to count in");
    return static_cast<std::atomic<int>*>(mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  }();
  return *inside;
}
/// Sleepy, and half as slow again beside another of its kind: what an audit has to find.
void run_crowded(const Problem& problem, Tensors& tensors, Context& context) {
  const bool beside = crowd()++ > 0;
  run_sleepy(problem, tensors, context);
  if (beside) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(0.5 * milliseconds_of("BENCH_SCALE_PLANTED_NAP_MS")));
  --crowd();
}
/// Never returns on the last rank; the others wait for it.
void run_hanging(const Problem& problem, Tensors& tensors, Context& context) {
  while (context.link->rank() + 1 == context.link->size()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ring().run(problem, tensors, context);
}
/// The last rank takes no part, and says nothing.
void run_deserting(const Problem& problem, Tensors& tensors, Context& context) {
  if (context.link->rank() + 1 < context.link->size()) ring().run(problem, tensors, context);
}
/// Takes its process down.
void run_fatal(const Problem&, Tensors&, Context&) { std::raise(SIGKILL); }
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

/// With BENCH_SCALE_PLANTED_TICK every look at the clock is 2^-10 s later than the thread's last one: a visit's times then depend on nothing
/// but the visit, so that two runs can be compared to the last bit. Powers of two, so that differences are exact.
const bool ticking = [] {
  if (std::getenv("BENCH_SCALE_PLANTED_TICK") == nullptr) return false;
  jobs::run_clock() = [] {
    thread_local std::int64_t ticks = 0;
    return static_cast<double>(++ticks) / 1024.0;
  };
  return true;
}();

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
Kernel ring_like(const char* name, void (*run)(const Problem&, Tensors&, Context&)) {
  Kernel kernel = planted(name, run, true);
  kernel.workspace_bytes = [](const Problem& problem) { return ring().workspace_bytes(problem); };
  kernel.prepare = [](const Problem& problem, Tensors& tensors, Context& context) { return ring().prepare(problem, tensors, context); };
  return kernel;
}
const Registrar<Kernel> sleepy{ring_like("attention/planted_sleepy", run_sleepy)};
const Registrar<Kernel> crowded{ring_like("attention/planted_crowded", run_crowded)};
const Registrar<Kernel> hanging{ring_like("attention/planted_hanging", run_hanging)};
const Registrar<Kernel> deserting{ring_like("attention/planted_deserting", run_deserting)};
const Registrar<Kernel> fatal{ring_like("attention/planted_fatal", run_fatal)};
const Registrar<Kernel> slowed{slowed_kernel()};
const Registrar<Kernel> wrong{planted("attention/planted_wrong", run_wrong)};
const Registrar<Kernel> nan{planted("attention/planted_nan", run_nan)};
const Registrar<Kernel> lazy{planted("attention/planted_lazy", run_lazy)};
const Registrar<Kernel> throwing{planted("attention/planted_throwing", run_throwing)};
const Registrar<Kernel> throwing_on_all{planted("attention/planted_throwing_on_all", run_throwing, true)};
const Registrar<Kernel> out_of_memory{planted("attention/planted_oom", run_out_of_memory)};

}  // namespace
}  // namespace bench::attention
