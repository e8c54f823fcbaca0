// SPDX-License-Identifier: Apache-2.0
// What ranks tell each other of a run of steps of the recurrence, per batch entry and channel: the product p
// of its decays and the state e that it leaves when it starts from zero, so that state <- p state + e. The
// backward pass has the same map, over the steps in reverse.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "kernels/scan/carry.hpp"

namespace bench::scan {

/// A record seen as its two rows of states; S is the state's type.
template <class S>
struct RecurrenceRecord {
  std::span<S> product, end;

  explicit RecurrenceRecord(std::span<std::byte> bytes) {
    const std::size_t states = bytes.size() / (2 * sizeof(S));
    product = {reinterpret_cast<S*>(bytes.data()), states};
    end = {product.data() + states, states};
  }
  void clear() {
    std::ranges::fill(product, S{1});
    std::ranges::fill(end, S{0});
  }
};

/// (p1, e1) then (p2, e2) is (p1 p2, p2 e1 + e2).
template <class S>
CarryRules recurrence_rules() {
  CarryRules rules;
  rules.clear = [](std::span<std::byte> record) { RecurrenceRecord<S>(record).clear(); };
  rules.combine = [](std::span<const std::byte> earlier, std::span<std::byte> later_bytes) {
    RecurrenceRecord<S> later(later_bytes);
    const auto* product = reinterpret_cast<const S*>(earlier.data());
    const S* end = product + later.product.size();
    for (std::size_t i = 0; i < later.product.size(); ++i) {
      later.end[i] = later.product[i] * end[i] + later.end[i];
      later.product[i] *= product[i];
    }
  };
  rules.apply = [](std::span<std::byte> bytes, std::span<std::byte> state_bytes) {
    const RecurrenceRecord<S> record(bytes);
    auto* state = reinterpret_cast<S*>(state_bytes.data());
    for (std::size_t i = 0; i < record.end.size(); ++i)
      state[i] = record.product[i] * state[i] + record.end[i];
  };
  return rules;
}

}  // namespace bench::scan
