// SPDX-License-Identifier: Apache-2.0
// What a call asked of its link, to be asked again: posts, waits and collectives in their order, and nothing of what the call computed between them.
// Every rank that plays the tape of the same call sends what it sent then, to whom it sent it, so ranks that recorded together can play together.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "src/core/link.hpp"

namespace bench::comm {

class Tape {
 public:
  using Post = std::function<std::unique_ptr<Transfer>()>;

  Tape() = default;
  Tape(const Tape&) = delete;  // its steps know where it is
  Tape& operator=(const Tape&) = delete;

  void note(std::function<void()> step) { steps_.push_back(std::move(step)); }
  /// Notes `again`, and that the exchange which it starts is waited for when `now`, the same exchange as it is first made, is.
  std::unique_ptr<Transfer> note_post(std::unique_ptr<Transfer> now, Post again);
  /// Once more. What throws leaves no exchange under way.
  void play();

 private:
  friend class TapedTransfer;
  std::vector<std::function<void()>> steps_;
  std::vector<std::unique_ptr<Transfer>> flights_;  // of a play, by number of the post
};

}  // namespace bench::comm
