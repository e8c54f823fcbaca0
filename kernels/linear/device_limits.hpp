// SPDX-License-Identifier: Apache-2.0
// Which problems the device's kernels of this op take, in words.
#pragma once

#include <limits>
#include <string>

#include "kernels/linear/linear.hpp"

namespace bench::linear {

/// Extents are ints on a device; products of them are not.
inline std::string needs_int_extents(const LinearProblem& p) {
  constexpr std::int64_t kMost = 1 << 30;
  if (p.m <= kMost && p.n <= kMost && p.k <= kMost) return {};
  return concat("an extent beyond ", kMost, ": this kernel counts rows and columns in 32 bits");
}

/// Of kernels that read codes of so many bits.
template <int kBits>
std::string takes_codes(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.recipe.bits != kBits) return concat("recipe ", to_text(p.recipe), "; this kernel has ", kBits == 4 ? "int4wo-G" : "int8wo");
  return needs_int_extents(p);
}

/// Of kernels that fetch rows of 16-bit elements in whole 16 bytes.
inline std::string needs_whole_rows(const LinearProblem& p) {
  if (p.dtype == DType::f32) return {};
  if (p.k % 8 != 0) return concat("in_features = ", p.k, ": this kernel takes multiples of 8");
  if (p.n % 8 != 0) return concat("out_features = ", p.n, ": this kernel takes multiples of 8");
  return {};
}

}  // namespace bench::linear
