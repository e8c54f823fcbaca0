// SPDX-License-Identifier: Apache-2.0
#include "src/comm/shm_channel.hpp"

#include <algorithm>
#include <cstring>

#include "src/core/error.hpp"

namespace bench::comm {
namespace {

// What the writer writes before the reader may have it: long enough that the counter's line travels rarely,
// short enough that the reader copies while the writer does.
constexpr std::size_t kPublish = 32 * 1024;

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + kShmLine - 1) / kShmLine * kShmLine;
}

/// The longest piece at position `at` of the stream that does not wrap.
std::span<std::byte> piece(std::span<std::byte> ring, std::uint64_t at, std::size_t bytes) {
  const std::size_t offset = static_cast<std::size_t>(at % ring.size());
  return ring.subspan(offset, std::min(bytes, ring.size() - offset));
}

}  // namespace

bool ShmSend::push(ShmEnd& end) {
  const auto room = [&] {
    return end.ring.size() -
           static_cast<std::size_t>(end.at - end.channel->taken.load(std::memory_order_acquire));
  };
  const auto publish = [&] { end.channel->written.store(end.at, std::memory_order_release); };
  bool head_unseen = false;  // it travels with the first bytes when there is room for them
  if (!begun_) {
    if (room() == 0) return false;
    const ShmHead head{rest_.size(), end.messages++, kind_};
    std::memcpy(piece(end.ring, end.at, kShmLine).data(), &head, sizeof head);
    end.at += kShmLine;
    begun_ = head_unseen = true;
  }
  while (!rest_.empty()) {
    const std::size_t free = room();
    if (free == 0) break;
    // `free` is whole lines, so is every piece but a message's last.
    const auto to = piece(end.ring, end.at, std::min({rest_.size(), free, kPublish}));
    std::memcpy(to.data(), rest_.data(), to.size());
    rest_ = rest_.subspan(to.size());
    end.at += whole_lines(to.size());
    publish();
    head_unseen = false;
  }
  if (head_unseen) publish();
  return rest_.empty();
}

bool ShmReceive::begin(ShmEnd& end) {
  if (end.channel->written.load(std::memory_order_acquire) == end.at) return false;
  ShmHead head;
  std::memcpy(&head, piece(end.ring, end.at, kShmLine).data(), sizeof head);
  const std::uint64_t number = end.messages++;
  if (head.number != number)
    throw Error(ErrorKind::comm, concat("link: message ", head.number, " came where ", number, " was due"));
  if (head.kind != kind_)
    throw Error(ErrorKind::comm, "link: two ranks are out of step: one is in an allgather");
  if (head.bytes != rest_.size())
    throw Error(ErrorKind::comm,
                concat("link: a buffer of ", rest_.size(), " bytes for a message of ", head.bytes));
  end.at += kShmLine;
  if (rest_.empty()) end.channel->taken.store(end.at, std::memory_order_release);
  begun_ = true;
  return true;
}

bool ShmReceive::pull(ShmEnd& end) {
  if (!begun_ && !begin(end)) return false;
  bool head_untold = !rest_.empty();  // a ring of one line has room again only once the head is given back
  while (!rest_.empty()) {
    const auto there =
        static_cast<std::size_t>(end.channel->written.load(std::memory_order_acquire) - end.at);
    if (there == 0) break;
    const auto from = piece(end.ring, end.at, std::min({rest_.size(), there, kPublish}));
    std::memcpy(rest_.data(), from.data(), from.size());
    rest_ = rest_.subspan(from.size());
    end.at += whole_lines(from.size());
    end.channel->taken.store(end.at, std::memory_order_release);
    head_untold = false;
  }
  if (head_untold && end.channel->taken.load(std::memory_order_relaxed) != end.at)
    end.channel->taken.store(end.at, std::memory_order_release);
  return rest_.empty();
}

}  // namespace bench::comm
