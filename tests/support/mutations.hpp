// SPDX-License-Identifier: Apache-2.0
// Every small mistake in a list of operations: each field that an op uses, one up and one down, and each op
// left out. A checker that is worth its name finds every one of them.
#pragma once

#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace bench::support {

/// Calls f(mutated lists, what was done) for each mutation of list `rank`. `used(op)` returns the int members
/// (pointers to member) that matter for an op of its kind.
template <class Op, class Used, class F>
void for_each_mutation(const std::vector<std::vector<Op>>& lists, std::size_t rank, Used&& used, F&& f) {
  for (std::size_t i = 0; i < lists[rank].size(); ++i) {
    const auto fields = used(lists[rank][i]);
    for (std::size_t field = 0; field < fields.size(); ++field) {
      for (const int change : {-1, +1}) {
        auto mutated = lists;
        mutated[rank][i].*fields[field] += change;
        f(mutated, concat("op ", i, ", field ", field, ", by ", change));
      }
    }
    auto shorter = lists;
    shorter[rank].erase(shorter[rank].begin() + static_cast<std::ptrdiff_t>(i));
    f(shorter, concat("op ", i, " left out"));
  }
}

}  // namespace bench::support
