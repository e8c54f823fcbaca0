// SPDX-License-Identifier: Apache-2.0
// fp64 oracle of the collective op: what each operation means, written down.
#include "kernels/collective/collective.hpp"

namespace bench::collective {
namespace {

/// Element i of rank r's output.
double output(const CollectiveProblem& p, const View<const double, 2>& x, std::int64_t rank, std::int64_t i) {
  const std::int64_t ranks = p.ranks, piece = p.extents().out / ranks;
  const auto sum_of = [&](std::int64_t at) {
    double sum = 0.0;
    for (std::int64_t r = 0; r < ranks; ++r) sum += x(r, at);
    return sum;
  };
  switch (p.operation) {
    case Operation::allreduce: return sum_of(i);
    case Operation::reduce_scatter: return sum_of(rank * p.extents().out + i);
    case Operation::allgather: return x(i / piece, i % piece);
    case Operation::alltoall: return x(i / piece, rank * piece + i % piece);
    case Operation::sendrecv: return x((rank - 1 + ranks) % ranks, i);
  }
  return 0.0;
}

}  // namespace

Tensors reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<CollectiveProblem>(problem);
  const auto x = view<double, 2>(inputs["x"]);
  const std::int64_t width = p.extents().out;
  Tensors outputs;
  if (p.replicated()) {
    Tensor& y = outputs.add("y", Tensor(DType::f64, {width}));
    for (std::int64_t i = 0; i < width; ++i) y.set(i, output(p, x, 0, i));
    return outputs;
  }
  Tensor& y = outputs.add("y", Tensor(DType::f64, {static_cast<std::int64_t>(rows.size()), width}));
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::int64_t i = 0; i < width; ++i) y.set(static_cast<std::int64_t>(row) * width + i, output(p, x, rows[row], i));
  return outputs;
}

}  // namespace bench::collective
