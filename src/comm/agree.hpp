// SPDX-License-Identifier: Apache-2.0
// Setting up something together: a rank that cannot must not leave the others waiting in the next step.
#pragma once

#include <algorithm>
#include <string>

#include "src/comm/communicator.hpp"
#include "src/core/error.hpp"

namespace bench::comm {

/// The message of the Error that `step` ends with; empty when it ends well.
template <class Step>
std::string reason_of(Step&& step) {
  try {
    step();
    return {};
  } catch (const Error& error) {
    const std::string text = error.what();
    return text.empty() ? "an error without a message" : text;
  }
}

/// Collective. Returns when no rank has a reason against going on. Otherwise throws Error(unavailable) with
/// the reason of the lowest rank that has one, on every rank. `what` is being set up.
inline void agree(const Communicator& group, const std::string& what, const std::string& mine) {
  if (group.all(mine.empty())) return;
  const auto who = group.allgather(mine.empty() ? group.size() : group.rank());
  const auto lowest = static_cast<int>(*std::min_element(who.begin(), who.end()));
  const std::string reason = group.bcast(mine, lowest);
  throw Error(ErrorKind::unavailable,
              group.size() == 1 ? concat(what, ": ", reason) : concat(what, ", rank ", lowest, ": ", reason));
}

}  // namespace bench::comm
