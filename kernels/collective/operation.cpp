// SPDX-License-Identifier: Apache-2.0
#include "kernels/collective/operation.hpp"

#include <algorithm>
#include <array>

namespace bench::collective {
namespace {

constexpr std::array<std::string_view, 5> kNames{"allreduce", "allgather", "reduce_scatter", "alltoall", "sendrecv"};

}  // namespace

std::string_view to_text(Operation operation) {
  return kNames[static_cast<std::size_t>(operation)];
}

std::optional<Operation> find_operation(std::string_view text) {
  const auto it = std::ranges::find(kNames, text);
  if (it == kNames.end()) return std::nullopt;
  return static_cast<Operation>(it - kNames.begin());
}

Extents extents_of(Operation operation, std::int64_t message_bytes, std::int64_t element_bytes, std::int64_t ranks) {
  const std::int64_t whole = message_bytes / element_bytes, piece = whole / ranks;
  switch (operation) {
    case Operation::allreduce:
    case Operation::sendrecv: return {whole, whole};
    case Operation::allgather: return {piece, piece * ranks};
    case Operation::reduce_scatter: return {piece * ranks, piece};
    case Operation::alltoall: return {piece * ranks, piece * ranks};
  }
  return {};
}

std::int64_t counted_bytes(Operation operation, std::int64_t message_bytes, std::int64_t element_bytes, std::int64_t ranks) {
  const Extents extents = extents_of(operation, message_bytes, element_bytes, ranks);
  return std::max(extents.in, extents.out) * element_bytes;
}

double bus_factor(Operation operation, std::int64_t ranks) {
  const double others = static_cast<double>(ranks - 1) / static_cast<double>(ranks);
  if (operation == Operation::sendrecv) return ranks > 1 ? 1.0 : 0.0;
  return operation == Operation::allreduce ? 2.0 * others : others;
}

}  // namespace bench::collective
