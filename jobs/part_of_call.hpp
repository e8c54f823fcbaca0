// SPDX-License-Identifier: Apache-2.0
// Timing half of a call: what its ranks compute, or what they exchange (the parameter `part`). The kernel is the same and knows of nothing; what it is given
// for a link makes the difference. The checked call always does both.
//
//   compute   after the check the kernel runs over links that say nothing: what it works on is what the checked call has left
//   exchange  the checked call is taped, and what is timed is the tape: its messages and waits, in their order
#pragma once

#include <memory>
#include <optional>

#include "kernels/kernel.hpp"
#include "scaling/parameters.hpp"
#include "src/comm/link_muted.hpp"
#include "src/comm/link_taped.hpp"

namespace bench::jobs {

class PartOfCall {
 public:
  /// After prepare and before the checked call; keeps what `context` has for links.
  PartOfCall(scaling::Part part, Context& context) : part_(part), context_(context) {
    DeviceLink* const between = context.device_link;
    if (part_ == scaling::Part::exchange) {
      context.link = &taped_.emplace(*context.link);
      if (between != nullptr) context.device_link = &taped_between_.emplace(*between);
    } else {
      muted_.emplace(*context.link);
      if (between != nullptr) muted_between_.emplace(*between);
    }
  }
  PartOfCall(const PartOfCall&) = delete;
  PartOfCall& operator=(const PartOfCall&) = delete;

  /// The call was checked: from now on only the part is asked for.
  void begin() {
    if (part_ == scaling::Part::exchange) return;
    context_.link = &*muted_;
    if (muted_between_) context_.device_link = &*muted_between_;
  }
  /// What is timed of a kernel whose call is `run`.
  template <class Run>
  void call(Run&& run) {
    if (part_ == scaling::Part::compute) return run();
    taped_->play();
    if (taped_between_) taped_between_->play();
  }

 private:
  scaling::Part part_;
  Context& context_;
  std::optional<comm::TapedLink> taped_;
  std::optional<comm::TapedDeviceLink> taped_between_;
  std::optional<comm::MutedLink> muted_;
  std::optional<comm::MutedDeviceLink> muted_between_;
};

}  // namespace bench::jobs
