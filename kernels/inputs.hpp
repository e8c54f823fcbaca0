// SPDX-License-Identifier: Apache-2.0
// Making a case's data: the same values on every rank, for every implementation and every way of cutting the sequence.
// Element i (row-major, in the whole tensor) of input `name` depends on the seed, the name and i alone, so a rank fills its share
// without seeing the rest, and the oracle can rebuild the whole in fp64.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/problem.hpp"

namespace bench {

/// The whole input in fp64, each value already rounded to the spec's dtype, so that the oracle judges the arithmetic and not the input.
Tensor whole_input(const TensorSpec& spec, std::uint64_t seed);

/// Rank-local extents of a tensor whose sequence axis is cut to `positions`; a tensor without that axis keeps its shape.
Shape share_of(const TensorSpec& spec, std::span<const std::int64_t> positions);

/// Fills a rank's share. `positions` are the global sequence positions that the rank holds, in storage order.
void fill_share(Tensor& share, const TensorSpec& spec, std::span<const std::int64_t> positions, std::uint64_t seed);

/// All positions 0 .. L-1 of the spec's sequence axis; empty when it has none.
std::vector<std::int64_t> all_positions(const TensorSpec& spec);

/// The positions rank `rank` holds: all of them on one rank, the op's cut otherwise.
std::vector<std::int64_t> positions_of(const Op& op, const Problem& problem, std::int64_t rank);

/// Overwrites every element with NaN, so that an output that is not written is found.
void poison(Tensor& tensor);

}  // namespace bench
