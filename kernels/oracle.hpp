// SPDX-License-Identifier: Apache-2.0
// Meeting the fp64 oracle: which rows are worth checking, and how far a rank's outputs lie from the reference on the rows it holds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel.hpp"

namespace bench {

/// The sequence positions to check when the reference may spend `budget_ops` fp64 operations: all of them if that suffices, else the
/// first two, the last, both sides of every power of two, and an even spread, ascending. Never fewer than 8 (or L).
std::vector<std::int64_t> rows_to_check(const Op& op, const Problem& problem, double budget_ops);

/// The oracle's outputs for one problem at `rows`; kept by the harness between rivals on the same problem.
struct Expected {
  std::vector<std::int64_t> rows;
  Tensors outputs;                   // fp64, restricted to rows
  std::vector<double> scale;         // max|reference| per output, the same order as outputs
  std::vector<Figure> figures;       // of the answer, where the op has some
};
Expected expect(const Op& op, const Problem& problem, std::uint64_t seed, double budget_ops);

/// How one output compares on this rank.
struct Deviation {
  std::string output;
  double error = 0.0;             // max|x - ref| / scale over the checked elements that this rank holds; infinity when one is not finite
  double tolerance = 0.0;
  std::int64_t not_finite = 0;    // NaN or Inf (unless the spec allows it) anywhere in this rank's share, checked rows or not
  bool ok() const { return not_finite == 0 && error <= tolerance; }
};

/// Compares every output that the kernel does not omit. `positions`: the global sequence positions of this rank, in storage order.
std::vector<Deviation> compare(const Op& op, const Problem& problem, const Kernel& kernel, const Tensors& outputs,
                               std::span<const std::int64_t> positions, const Expected& expected);

}  // namespace bench
