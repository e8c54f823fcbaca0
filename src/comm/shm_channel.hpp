// SPDX-License-Identifier: Apache-2.0
// A one-way stream of messages through memory that two ranks share: a ring of bytes, one writer, one reader.
// A message is a line with its length, kind and number, then its bytes, padded to whole lines; it may be
// longer than the ring. The writer publishes what it wrote with a release store, the reader what it took.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bench::comm {

constexpr std::size_t kShmLine = 64;  // a cache line: headers, and the two counters, never share one

/// What both sides see. Lives in shared memory, so it holds no pointers and only lock-free atomics.
struct ShmChannel {
  alignas(kShmLine) std::atomic<std::uint64_t> written{0};  // bytes, ever
  alignas(kShmLine) std::atomic<std::uint64_t> taken{0};    // bytes, ever
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
};

/// First line of a message.
struct ShmHead {
  std::uint64_t bytes = 0;
  std::uint64_t number = 0;  // of the message on this channel: order is checked, not assumed
  std::uint64_t kind = 0;
};

/// One side's view of a channel. `ring` is a multiple of kShmLine long and belongs to the same channel.
struct ShmEnd {
  ShmChannel* channel = nullptr;
  std::span<std::byte> ring;
  std::uint64_t messages = 0;  // begun by this side
  std::uint64_t at = 0;        // this side's place in the stream; the shared counter follows
};

/// A message on its way into a channel: push() until it says true. Never blocks.
class ShmSend {
 public:
  ShmSend(std::span<const std::byte> message, std::uint64_t kind) : rest_(message), kind_(kind) {}
  bool push(ShmEnd& end);
  bool done() const { return begun_ && rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  std::uint64_t kind_;
  bool begun_ = false;
};

/// A message on its way out: pull() until it says true. Throws Error(comm) when the message that comes is of
/// another length or kind than the buffer expects, or out of turn.
class ShmReceive {
 public:
  ShmReceive(std::span<std::byte> buffer, std::uint64_t kind) : rest_(buffer), kind_(kind) {}
  bool pull(ShmEnd& end);
  bool done() const { return begun_ && rest_.empty(); }

 private:
  bool begin(ShmEnd& end);
  std::span<std::byte> rest_;
  std::uint64_t kind_;
  bool begun_ = false;
};

}  // namespace bench::comm
