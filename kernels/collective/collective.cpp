// SPDX-License-Identifier: Apache-2.0
// Parameters, cost model and tolerance of the collective op, and its registration.
#include "kernels/collective/collective.hpp"

#include <algorithm>
#include <vector>

namespace bench::collective {

std::string too_short(const Problem& problem) {
  const auto& p = problem_as<CollectiveProblem>(problem);
  if (p.counted() > 0) return {};
  return concat("message_bytes = ", p.message_bytes, " are less than one ", to_text(p.dtype), " for each of ", p.ranks, " ranks of ", to_text(p.operation));
}

std::span<const std::byte> input_of(const Tensors& tensors) {
  const Tensor& x = tensors["x"];
  return {x.data(), static_cast<std::size_t>(x.bytes())};
}

std::span<std::byte> output_of(Tensors& tensors) {
  Tensor& y = tensors["y"];
  return {y.data(), static_cast<std::size_t>(y.bytes())};
}

void link_call(Link& link, const CollectiveProblem& p, std::span<const std::byte> in, std::span<std::byte> out) {
  const int up = (link.rank() + 1) % link.size(), down = (link.rank() - 1 + link.size()) % link.size();
  switch (p.operation) {
    case Operation::allreduce: return link.allreduce(p.dtype, in, out);
    case Operation::allgather: return link.transport_allgather(in, out);
    case Operation::reduce_scatter: return link.reduce_scatter(p.dtype, in, out);
    case Operation::alltoall: return link.alltoall(in, out);
    case Operation::sendrecv: return link.sendrecv(in, up, out, down);
  }
}

namespace {

/// Up to here all whole numbers are exact in bf16, the type with the fewest bits.
constexpr std::int64_t kExactInBf16 = 256;

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<CollectiveProblem>();
  parse_common(params, *problem);
  if (problem->pass != "fwd") usage_error(concat("pass = ", problem->pass, "; allowed for collective: fwd"));
  const std::string name = get_string(params, "operation");
  const auto operation = find_operation(name);
  if (!operation) usage_error(concat("operation '", name, "' is not known; allowed: allreduce, allgather, reduce_scatter, alltoall, sendrecv"));
  problem->operation = *operation;
  problem->message_bytes = positive(params, "message_bytes");
  return problem;
}

/// For sums whole numbers from -k to k, P k <= 256 (on more ranks k = 1: of a thousand numbers the sum is 26 or so, and 256 is ten times that).
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<CollectiveProblem>(problem);
  TensorSpec x = make_spec("x", p.dtype, {p.ranks, p.extents().in}, 0);
  if (p.adds()) {
    x.fill = Fill::whole;
    x.high = static_cast<double>(std::max<std::int64_t>(1, kExactInBf16 / p.ranks));
    x.low = -x.high;
  }
  return {x};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<CollectiveProblem>(problem);
  if (p.replicated()) return {make_spec("y", p.dtype, {p.extents().out}, -1)};
  return {make_spec("y", p.dtype, {p.ranks, p.extents().out}, 0)};
}

/// Bytes: what P ranks have to read and write of their memory, inputs and outputs once each. FLOPs: none that count; the P - 1 additions of a sum's
/// element hide behind its transfers. Wire: what a rank has to send in any algorithm made of sends and receives.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<CollectiveProblem>(problem);
  const Extents each = p.extents();
  Cost cost;
  cost.bytes = static_cast<double>(p.ranks * size_of(p.dtype)) * static_cast<double>(each.in + each.out);
  cost.wire_bytes = bus_factor(p.operation, p.ranks) * static_cast<double>(p.counted());
  return cost;
}

std::vector<std::int64_t> positions(const Problem&, std::int64_t rank) {
  return {rank};
}

double reference_ops_per_row(const Problem&) {
  return 0.0;
}

/// Nothing is rounded: bytes are moved as they are, and the sums above are exact in any order. So 0 is the only right answer, and the least
/// number that is not 0 says so; a wrong addend is 1/256 or more of the largest sum.
double tolerance(const Problem&, std::string_view) {
  return epsilon_of(DType::f64);
}

const Registrar<Op> registrar{{
    .name = "collective",
    .help = "one exchange between all ranks: the links themselves, with algbw and busbw as nccl-tests has them",
    .params = {{"operation", std::string("allreduce"), "allreduce, allgather, reduce_scatter, alltoall or sendrecv (a step round the ring)"},
               {"message_bytes", std::int64_t{1 << 20},
                "size S as nccl-tests counts it: a rank's whole array, the longer of input and output; rounded down to whole elements and equal pieces"}},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .ranks_are_its_data = true,
}};

}  // namespace
}  // namespace bench::collective
