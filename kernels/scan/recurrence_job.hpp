// SPDX-License-Identifier: Apache-2.0
// What a device's recurrence kernels are told, in both passes. A pass goes through the steps in its own order, forward or backward, and the n-th it comes
// to is place n:
//
//   forward:  y_t = a_t y_{t-1} + x_t            x = b,  y = h,  seed = h0,      end = h_last
//   backward: y_t = conj(a_{t+1}) y_{t+1} + x_t  x = dh, y = db, seed = dh_last, end = dh0 = conj(a_0) y_0,  da_t = y_t conj(h_{t-1})
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cuda/function.hpp"
#include "kernels/scan/recurrence.hpp"

namespace bench::scan {

enum class Sweep : std::uint8_t {
  forward,
  backward,
  backward_carries,  // y only, and of that what is carried on: h is not read, nothing is written
};

struct RecurrenceJob {
  const void *a, *x;
  const void *h, *h0;  // backward
  void *y, *da;
  const void* seed;
  void* end;
  const std::uint32_t* starts;  // start_bits; null: one sequence
  std::int64_t batch, channels, seq;
  std::int64_t channel0, channel_end;  // of all entries: those that a launch of recurrence_stream.hpp is about; edges of its blocks

  // Where steps are cut into spans, whose carries are found first: (channel, span).
  std::int64_t spans, tiles_a_span;
  void *maps, *states;

  // Where blocks look back at each other: records (channel, tile), and tickets given since they were made.
  void* records;
  std::uint64_t* tickets;
};

inline constexpr int kStartBitsAhead = 32;

/// Bit 32 + t is set where a packed sequence begins with step t. So many bits ahead, and as many behind: tiles look at steps that are none.
inline std::vector<std::uint32_t> start_bits(std::span<const std::int64_t> starts, std::int64_t seq) {
  std::vector<std::uint32_t> bits(static_cast<std::size_t>((seq + 31) / 32 + 3));
  for (const std::int64_t t : starts) bits[static_cast<std::size_t>((t + kStartBitsAhead) / 32)] |= 1U << ((t + kStartBitsAhead) % 32);
  return bits;
}

/// Bit i of the answer: a sequence begins with step t + i. t from -32 to L + 31.
BS_HOST_DEVICE std::uint32_t starts_from(const std::uint32_t* bits, std::int64_t t) {
  const std::int64_t at = t + kStartBitsAhead;
  const std::uint64_t both = static_cast<std::uint64_t>(bits[at / 32 + 1]) << 32 | bits[at / 32];
  return static_cast<std::uint32_t>(both >> (at % 32));
}

/// The sizes of `problem`, its steps in one span; whoever has the tensors sets the pointers.
inline RecurrenceJob recurrence_job(const RecurrenceProblem& p) {
  RecurrenceJob job{};
  job.batch = p.batch;
  job.channels = p.channels;
  job.seq = p.seq;
  job.channel0 = 0;
  job.channel_end = p.batch * p.channels;
  job.spans = 1;
  job.tiles_a_span = std::int64_t{1} << 40;  // all there are
  return job;
}

}  // namespace bench::scan
