// SPDX-License-Identifier: Apache-2.0
// What a recurrence's backward pass needs over the edges of a rank's share, from its first and its last step. A lane a channel. The body only: files ending in .cu
// launch it, and a test runs it on the host.
//
// The gradient that leaves a share for the lower rank is a y of its first step, so that step's a stands behind the maps of the share's spans; where a packed sequence begins
// there it is zero, and nothing leaves. The next rank's first da needs h of this share's last step.
#pragma once

#include "kernels/scan/recurrence_element.hpp"
#include "kernels/scan/recurrence_job.hpp"

namespace bench::scan {

struct RecurrenceEdgesJob : RecurrenceJob {
  float* last_h;  // (B, C)
};

/// For a share that has steps, cut into spans the last of which has none.
template <class M, class Tile>
struct RecurrenceEdges {
  using Stored = typename Tile::Stored;
  static constexpr int kThreads = 128, kSharedBytes = 0;
  static BS_HOST_DEVICE std::int64_t blocks(const RecurrenceEdgesJob& job) { return (job.channel_end - job.channel0 + kThreads - 1) / kThreads; }

  static BS_DEVICE void run(const RecurrenceEdgesJob& job) {
    const std::int64_t channel = job.channel0 + static_cast<std::int64_t>(M::block()) * kThreads + M::thread();
    if (channel >= job.channel_end) return;
    const bool begins = job.starts != nullptr && (starts_from(job.starts, 0) & 1U) != 0;
    const float a = begins ? 0.0F : widened(job.a, Tile::index(job, channel, 0));
    static_cast<StepMap<float>*>(job.maps)[channel * job.spans + job.spans - 1] = {a, 0.0F};
    if (job.last_h != nullptr) job.last_h[channel] = widened(job.h, Tile::index(job, channel, job.seq - 1));
  }

 private:
  static BS_DEVICE float widened(const void* tensor, std::int64_t at) { return Element<Stored>::template widen<M>(static_cast<const Stored*>(tensor)[at]); }
};

}  // namespace bench::scan
