// SPDX-License-Identifier: Apache-2.0
// What ranks tell each other of a run of steps of the selective scan, per batch entry and channel: the sum s
// of its d and the N states e that it leaves when it starts from zero, so that state <- exp(A s) state + e.
// The decay of a run is exp(A sum d), so 1 + N numbers say what 2 N would. Where a
// packed sequence begins among the steps, s is kForgets. The backward pass has the same
// map, over the steps in reverse.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "kernels/scan/carry.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_tile.hpp"

namespace bench::scan {

/// States (of the state's type) in one record: B C sums, then B C N end states.
inline std::int64_t selective_record_states(const SelectiveProblem& p) {
  return p.batch * p.channels * (1 + p.state);
}

/// later_h <- exp(A delta_sum) earlier_h + later_h for `channels` rows of N states.
inline void follow(const float* a, std::int64_t channels, std::int64_t states, const float* delta_sum,
                   const float* earlier_h, float* later_h) {
  apply_carry(a, channels, states, delta_sum, earlier_h, later_h);
}
inline void follow(const double* a, std::int64_t channels, std::int64_t states, const double* delta_sum,
                   const double* earlier_h, double* later_h) {
  for (std::int64_t i = 0; i < channels * states; ++i)
    if (delta_sum[i / states] != kForgets<double>) later_h[i] += std::exp(a[i] * delta_sum[i / states]) * earlier_h[i];
}

/// The rules of the records of a problem; `a` (C, N) must outlive them.
template <class S>
CarryRules selective_rules(const SelectiveProblem& p, const S* a) {
  const std::int64_t batch = p.batch, channels = p.channels, states = p.state, sums = batch * channels;
  const auto follow_all = [=](const S* delta_sum, const S* earlier_h, S* later_h) {
    for (std::int64_t i = 0; i < batch; ++i)
      follow(a, channels, states, delta_sum + i * channels, earlier_h + i * channels * states,
             later_h + i * channels * states);
  };
  CarryRules rules;
  rules.clear = [](std::span<std::byte> record) { std::memset(record.data(), 0, record.size()); };
  rules.combine = [=](std::span<const std::byte> earlier, std::span<std::byte> later) {
    const auto* first = reinterpret_cast<const S*>(earlier.data());
    auto* second = reinterpret_cast<S*>(later.data());
    follow_all(second, first + sums, second + sums);
    for (std::int64_t i = 0; i < sums; ++i) second[i] += first[i];
  };
  rules.apply = [=](std::span<std::byte> record, std::span<std::byte> state) {
    auto* carry = reinterpret_cast<S*>(record.data());
    follow_all(carry, reinterpret_cast<const S*>(state.data()), carry + sums);
    std::memcpy(state.data(), carry + sums, state.size());
  };
  return rules;
}

}  // namespace bench::scan
