// SPDX-License-Identifier: Apache-2.0
// The state of a softmax row while its keys arrive in blocks (Milakov & Gimelshein 2018, "Online normalizer
// calculation for softmax"): max = largest score so far, sum = sum of 2^(score - max). Scores are in units of
// log2: natural ones times log2(e), so that the hot loop needs exp2 only. The weighted output acc that goes
// with a state is scaled by the same 2^-max.
//
// Empty states: minus infinity would make empty - empty a NaN, so "no key yet" is the finite max kEmptyMax
// and a masked score is kMaskedScore, far enough below it that 2^(masked - max) is 0 for every max a state
// can have. A row that never saw a key has sum 0; it leaves as output 0 and log-sum-exp minus infinity, never
// as NaN. Scores must stay within +-1e28 (kLeastScore).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace bench::attention {

inline constexpr double kLog2E = 1.44269504088896340736;
inline constexpr double kLn2 = 0.69314718055994530942;
inline constexpr double kEmptyMax = -1e29;
inline constexpr double kMaskedScore = -1e30;
inline constexpr double kLeastScore = -1e28;  // that a key may have

template <class Real>
struct SoftmaxState {
  Real max = static_cast<Real>(kEmptyMax);
  Real sum = Real{0};

  bool empty() const { return sum == Real{0}; }
  /// What the row's unnormalised output is multiplied by at the end; 0 for an empty row.
  Real normaliser() const { return empty() ? Real{0} : Real{1} / sum; }
  /// Natural logarithm of the sum of exp(score); minus infinity for an empty row.
  Real log_sum_exp() const {
    if (empty()) return -std::numeric_limits<Real>::infinity();
    return (max + std::log2(sum)) * static_cast<Real>(kLn2);
  }
};

/// The state of two disjoint sets of keys together. Associative and commutative up to rounding; an empty
/// state changes nothing. The outputs that go with a and b are combined with the weights 2^(a.max -
/// merged.max) and 2^(b.max - merged.max).
template <class Real>
SoftmaxState<Real> merge(const SoftmaxState<Real>& a, const SoftmaxState<Real>& b) {
  SoftmaxState<Real> merged;
  merged.max = std::max(a.max, b.max);
  merged.sum = a.sum * std::exp2(a.max - merged.max) + b.sum * std::exp2(b.max - merged.max);
  return merged;
}

}  // namespace bench::attention
