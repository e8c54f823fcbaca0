// SPDX-License-Identifier: Apache-2.0
// What a visit may leave behind when a transport or a device failed in it.
#pragma once

#include <memory>
#include <string>

#include "analysis/record.hpp"
#include "jobs/team.hpp"
#include "jobs/timing/timer.hpp"

namespace bench::jobs {

/// What a kernel did to its device, or to the link between devices, can be more than this visit's own misfortune.
inline void note_losses(Link& link, const DeviceLink* device_link, const Kernel& kernel, analysis::VisitRecord& record) {
  const bool broke = !everyone(link, device_link == nullptr || !device_link->broken());
  if (broke) record.outcome = Outcome::comm_error;  // whatever it began with: the link has to be made anew
  const Words lost = first_words(link, why_lost(kernel.backend, device_link));
  if (lost.text.empty()) return;
  record.ended_process = true;
  record.reason += concat("; ", lost.text);
}

/// Keeps what a visit allocated from being used for something else while a transport that broke may still write into it. To free something of a
/// device that is still at work would wait for it, so the timer stays, too.
template <class T>
struct KeepInDoubt {
  std::unique_ptr<T>& owner;
  const Link& link;
  const DeviceLink* device_link;
  std::unique_ptr<Timer>& timer;
  ~KeepInDoubt() {
    const bool on_device = device_link != nullptr && device_link->memory_in_doubt();
    if (link.memory_in_doubt() || on_device) static_cast<void>(owner.release());
    if (on_device) static_cast<void>(timer.release());
  }
};

}  // namespace bench::jobs
