// SPDX-License-Identifier: Apache-2.0
#include "jobs/whole_tensors.hpp"

#include <cstring>

#include "kernels/inputs.hpp"

namespace bench::jobs {
namespace {

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.bytes())};
}
std::span<std::byte> bytes_of(Tensor& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.bytes())};
}

/// Puts a share's slices along the sequence where they belong in the whole.
void place(const TensorSpec& spec, const Tensor& share, std::span<const std::int64_t> positions, Tensor& whole) {
  const auto axis = static_cast<std::size_t>(spec.sequence_axis);
  std::int64_t outer = 1, inner = size_of(spec.dtype);
  for (std::size_t i = 0; i < axis; ++i) outer *= spec.shape[i];
  for (std::size_t i = axis + 1; i < spec.shape.size(); ++i) inner *= spec.shape[i];
  const auto count = static_cast<std::int64_t>(positions.size());
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < count; ++i)
      std::memcpy(whole.data() + (o * spec.shape[axis] + positions[static_cast<std::size_t>(i)]) * inner, share.data() + (o * count + i) * inner,
                  static_cast<std::size_t>(inner));
}

/// Rank 0 gets every rank's share of one output; a replicated one is rank 0's own.
Tensor gather(Link& link, const Op& op, const Problem& problem, const TensorSpec& spec, const Tensor& mine) {
  const bool cut = spec.sequence_axis >= 0 && problem.ranks > 1;
  if (link.rank() != 0) {
    if (cut) link.sendrecv(bytes_of(mine), 0, {}, 0);
    return {};
  }
  Tensor whole(spec.dtype, spec.shape);
  if (!cut) {
    std::memcpy(whole.data(), mine.data(), static_cast<std::size_t>(mine.bytes()));
    return whole;
  }
  for (int rank = 0; rank < link.size(); ++rank) {
    const auto positions = op.positions(problem, rank);
    if (rank == 0) {
      place(spec, mine, positions, whole);
      continue;
    }
    Tensor share(spec.dtype, share_of(spec, positions));
    link.sendrecv({}, rank, bytes_of(share), rank);
    place(spec, share, positions, whole);
  }
  return whole;
}

}  // namespace

Tensors whole_tensors(Link& link, const Op& op, const Problem& problem, const Tensors& shares, std::uint64_t seed) {
  Tensors whole;
  if (link.rank() == 0) {
    if (op.tables != nullptr) whole = op.tables(problem);
    for (const TensorSpec& spec : op.inputs(problem)) whole.add(spec.name, whole_input(spec, seed));
  }
  for (const TensorSpec& spec : op.outputs(problem)) {
    Tensor gathered = gather(link, op, problem, spec, shares[spec.name]);
    if (link.rank() == 0) whole.add(spec.name, std::move(gathered));
  }
  return whole;
}

}  // namespace bench::jobs
