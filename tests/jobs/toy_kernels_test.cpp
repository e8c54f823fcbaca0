// SPDX-License-Identifier: Apache-2.0
#include "tests/jobs/toy_kernels.hpp"

#include <atomic>
#include <limits>
#include <new>
#include <stdexcept>

#include "kernels/kernel.hpp"
#include "src/core/out_of_memory.hpp"

namespace bench::jobs::toy {
namespace {

struct ToyProblem : Problem {
  std::int64_t length = 0;
};

std::atomic<int> g_calls{0};
thread_local std::function<void()> t_work;

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<ToyProblem>();
  parse_common(params, *problem);
  problem->length = get_int(params, "seq");
  return problem;
}
TensorSpec spec(const char* name, const Problem& problem) {
  return {.name = name, .dtype = DType::f32, .shape = {problem_as<ToyProblem>(problem).length}, .sequence_axis = 0};
}
Tensors reference(const Problem&, const Tensors& inputs, std::span<const std::int64_t> rows) {
  Tensors outputs;
  Tensor& out = outputs.add("out", Tensor(DType::f64, {static_cast<std::int64_t>(rows.size())}));
  for (std::size_t i = 0; i < rows.size(); ++i) out.set(static_cast<std::int64_t>(i), 2.0 * inputs["x"].at(rows[i]));
  return outputs;
}

const Registrar<Op> op{{.name = "toy",
                        .help = "out = 2 x",
                        .params = {{"seq", std::int64_t{10}, "positions"}},
                        .parse = parse,
                        .inputs = [](const Problem& p) { return std::vector<TensorSpec>{spec("x", p)}; },
                        .outputs = [](const Problem& p) { return std::vector<TensorSpec>{spec("out", p)}; },
                        .cost = [](const Problem& p) { return Cost{.flops = static_cast<double>(problem_as<ToyProblem>(p).length), .bytes = 8.0}; },
                        .positions = [](const Problem& p, std::int64_t rank) { return contiguous_positions(problem_as<ToyProblem>(p).length, p.ranks, rank); },
                        .reference = reference,
                        .reference_ops_per_row = [](const Problem&) { return 1.0; },
                        .tolerance = [](const Problem&, std::string_view) { return 1e-6; }}};

void right(const Problem&, Tensors& tensors, Context&) {
  ++g_calls;
  if (t_work) t_work();
  for (std::int64_t i = 0; i < tensors["x"].count(); ++i) tensors["out"].set(i, 2.0 * tensors["x"].at(i));
}
void wrong_on_last_rank(const Problem& problem, Tensors& tensors, Context& context) {
  right(problem, tensors, context);
  if (context.link->rank() + 1 == context.link->size()) tensors["out"].set(0, 1e3);
}
/// Runs out of something that it names, and only there.
void hungry_on_last_rank(const Problem& problem, Tensors& tensors, Context& context) {
  right(problem, tensors, context);
  if (context.link->rank() + 1 == context.link->size()) throw OutOfMemory("12 bytes were asked for");
}
void forgetful(const Problem&, Tensors& tensors, Context&) {
  ++g_calls;
  for (std::int64_t i = 1; i < tensors["x"].count(); ++i) tensors["out"].set(i, 2.0 * tensors["x"].at(i));
}
void throwing(const Problem&, Tensors&, Context&) { throw std::runtime_error("toy fell over"); }

Kernel kernel(const char* name, void (*run)(const Problem&, Tensors&, Context&)) {
  return {.name = name, .op = "toy", .dtypes = {DType::f32}, .collective = true, .run = run};
}

const Registrar<Kernel> a{kernel("toy/right", right)};
const Registrar<Kernel> b{kernel("toy/wrong_on_last_rank", wrong_on_last_rank)};
const Registrar<Kernel> c{kernel("toy/forgetful", forgetful)};
const Registrar<Kernel> d{kernel("toy/throwing", throwing)};
const Registrar<Kernel> hungry_there{kernel("toy/hungry_on_last_rank", hungry_on_last_rank)};

Kernel hungry() {
  Kernel k = kernel("toy/hungry", right);
  k.workspace_bytes = [](const Problem&) -> std::int64_t { return std::int64_t{1} << 60; };  // no machine has an exbibyte
  return k;
}
const Registrar<Kernel> e{hungry()};

/// Of a backend that no build has a timer for yet.
Kernel elsewhere() {
  Kernel k = kernel("toy/elsewhere", right);
  k.backend = Backend::nccl;
  return k;
}
const Registrar<Kernel> f{elsewhere()};

/// Leaves its output in memory of its own, as a device's kernel does, until it is collected.
struct Away : Prepared {
  Tensor out{DType::f32, {0}};
  void collect(Tensors& tensors) const override {
    for (std::int64_t i = 0; i < out.count(); ++i) tensors["out"].set(i, out.at(i));
  }
};
Kernel away() {
  Kernel k = kernel("toy/away", [](const Problem&, Tensors& tensors, Context& context) {
    Tensor& out = static_cast<Away*>(context.prepared)->out;
    for (std::int64_t i = 0; i < out.count(); ++i) out.set(i, 2.0 * tensors["x"].at(i));
  });
  k.prepare = [](const Problem&, Tensors& tensors, Context&) -> std::unique_ptr<Prepared> {
    auto prepared = std::make_unique<Away>();
    prepared->out = Tensor(DType::f32, tensors["out"].shape());
    return prepared;
  };
  return k;
}
const Registrar<Kernel> g{away()};

}  // namespace

scaling::Case make_case(const std::string& name, std::int64_t ranks, std::int64_t length) {
  scaling::Case c;
  c.id = std::string(32, 'a');
  c.op = "toy";
  c.kernel = name;
  c.ranks = ranks;
  c.params = {{"seq", length}, {"ranks", ranks}, {"threads", std::int64_t{1}}, {"dtype", std::string("fp32")}, {"pass", std::string("fwd")}};
  return c;
}
void set_work(std::function<void()> work) { t_work = std::move(work); }
int calls() { return g_calls; }
void reset_calls() { g_calls = 0; }

}  // namespace bench::jobs::toy
