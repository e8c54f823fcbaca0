// SPDX-License-Identifier: Apache-2.0
// How often does a sequence fall? The number of inversions, counted while merging.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

namespace bench::analysis {

/// Sorts `x` stably by `less` and returns how many pairs i < j had less(x[j], x[i]). `spare` is as long as x.
/// O(n log n).
template <class T, class Less = std::less<T>>
std::int64_t sort_and_count_falls(std::span<T> x, std::span<T> spare, Less less = {}) {
  if (x.size() < 2) return 0;
  const std::size_t half = x.size() / 2;
  std::int64_t falls = sort_and_count_falls(x.first(half), spare.first(half), less) +
                       sort_and_count_falls(x.subspan(half), spare.subspan(half), less);
  std::size_t left = 0, right = half;
  for (T& merged : spare) {
    const bool from_right = right < x.size() && (left == half || less(x[right], x[left]));
    if (from_right) falls += static_cast<std::int64_t>(half - left);
    merged = from_right ? x[right++] : x[left++];
  }
  std::copy(spare.begin(), spare.end(), x.begin());
  return falls;
}

}  // namespace bench::analysis
