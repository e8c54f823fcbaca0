// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_shm.hpp"

#include <algorithm>
#include <memory>
#include <thread>

#include "src/comm/link_wait.hpp"
#include "src/core/error.hpp"

namespace bench::comm {
namespace {

std::size_t channel_bytes(std::size_t ring_bytes) {
  return sizeof(ShmChannel) + ring_bytes;
}
/// Where in a segment the channel from `rank` is; the first line is the owner's barrier counter.
std::size_t channel_at(int rank, std::size_t ring_bytes) {
  return kShmLine + static_cast<std::size_t>(rank) * channel_bytes(ring_bytes);
}

ShmEnd end_at(std::span<std::byte> segment, int rank, std::size_t ring_bytes) {
  const auto place = segment.subspan(channel_at(rank, ring_bytes), channel_bytes(ring_bytes));
  return {reinterpret_cast<ShmChannel*>(place.data()), place.subspan(sizeof(ShmChannel))};
}

/// How to wait for a peer on the same node.
class Pace {
 public:
  void pause() {
    ++polls_;
    if (polls_ <= kSpins) return;
    if (polls_ <= kSpins + kYields) return std::this_thread::yield();
    std::this_thread::sleep_for(nap_);
    nap_ = std::min(2 * nap_, kLongestNap);
  }

 private:
  // Some 10 us of spinning and, on an idle core, 1 ms of yielding (0.2 us each): ranks that are in step meet
  // without a sleep, whose wake-up alone costs 50 us.
  static constexpr int kSpins = 300, kYields = 5000;
  static constexpr std::chrono::microseconds kLongestNap{500};
  int polls_ = 0;
  std::chrono::microseconds nap_{20};
};

/// Calls `advance` until `done()`, eagerly as long as something moves; the clock is looked at now and then.
template <class Advance, class Done, class Whom>
void wait_until(double seconds_left, Advance&& advance, Done&& done, Whom&& whom) {
  const LinkWait patience(seconds_left);
  Pace pace;
  for (int poll = 1;; ++poll) {
    const bool moved = advance();
    if (done()) return;
    if (moved)
      pace = Pace();
    else
      pace.pause();
    if (poll % 16 == 0 && patience.expired()) patience.give_up(whom());
  }
}

}  // namespace

class ShmTransfer final : public Transfer {
 public:
  ShmTransfer(LinkShm& link, std::span<const std::byte> out, int to, std::span<std::byte> in, int from,
              bool gathering)
      : send(out, gathering),
        receive(in, gathering),
        to_(to),
        from_(from),
        out_bytes_(out.size()),
        in_bytes_(in.size()),
        link_(link) {
    link_.in_flight_.push_back(this);
  }
  ~ShmTransfer() override {
    if (!done()) link_.break_link("an exchange was given up unfinished");
    std::erase(link_.in_flight_, this);
  }

  void wait() override {
    if (done()) return link_.require_whole();
    link_.guarded([&] {
      const auto advance = [&] { return link_.advance(); };
      wait_until(
          link_.seconds_left(), advance, [&] { return done(); },
          [&] { return receive.done() ? rank_to_take(to_, out_bytes_) : rank_to_send(from_, in_bytes_); });
    });
  }

  bool done() const { return send.done() && receive.done(); }
  int to() const { return to_; }
  int from() const { return from_; }

  ShmSend send;
  ShmReceive receive;

 private:
  int to_, from_;
  std::size_t out_bytes_, in_bytes_;
  LinkShm& link_;
};

std::size_t LinkShm::segment_bytes(int ranks, std::size_t ring_bytes) {
  return channel_at(ranks, ring_bytes);
}

void LinkShm::format(std::span<std::byte> segment, int ranks, std::size_t ring_bytes) {
  BS_REQUIRE(ring_bytes > 0 && ring_bytes % kShmLine == 0, "a ring of ", ring_bytes,
             " bytes is not of whole lines");
  BS_REQUIRE(segment.size() >= segment_bytes(ranks, ring_bytes), "a segment of ", segment.size(),
             " bytes is too small");
  BS_REQUIRE(reinterpret_cast<std::uintptr_t>(segment.data()) % kShmLine == 0,
             "a segment must begin at a whole line");
  std::construct_at(reinterpret_cast<std::atomic<std::uint64_t>*>(segment.data()), 0U);
  for (int r = 0; r < ranks; ++r) std::construct_at(end_at(segment, r, ring_bytes).channel);
}

LinkShm::LinkShm(std::shared_ptr<SharedMemory> memory, int rank, std::size_t ring_bytes)
    : memory_(std::move(memory)), rank_(rank) {
  for (int r = 0; r < size(); ++r) {
    to_.push_back(end_at(memory_->segment(r), rank_, ring_bytes));
    from_.push_back(end_at(memory_->segment(rank_), r, ring_bytes));
  }
}

double LinkShm::now_s() const {
  return steady_now_s();
}

std::unique_ptr<Transfer> LinkShm::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                        int from) {
  BS_REQUIRE(to >= 0 && to < size() && from >= 0 && from < size(), "link: no rank ", to, " or ", from,
             " in a group of ", size());
  return guarded([&] {
    auto transfer = std::make_unique<ShmTransfer>(*this, out, to, in, from, gathering());
    advance();  // a peer that computes for long must find what fits
    if (to != rank_) count_sent(out.size());
    return transfer;
  });
}

/// Moves every exchange in flight on by what its channels allow; per channel the oldest one goes first.
bool LinkShm::advance() {
  bool moved = false;
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    ShmTransfer& transfer = *in_flight_[i];
    bool may_send = !transfer.send.done(), may_receive = !transfer.receive.done();
    for (std::size_t j = 0; j < i; ++j) {
      const ShmTransfer& older = *in_flight_[j];
      may_send = may_send && (older.send.done() || older.to() != transfer.to());
      may_receive = may_receive && (older.receive.done() || older.from() != transfer.from());
    }
    ShmEnd& out = to_[static_cast<std::size_t>(transfer.to())];
    ShmEnd& in = from_[static_cast<std::size_t>(transfer.from())];
    const std::uint64_t before = out.at + in.at;
    if (may_send) transfer.send.push(out);
    if (may_receive) transfer.receive.pull(in);
    moved = moved || out.at + in.at != before;
  }
  std::erase_if(in_flight_, [](const ShmTransfer* transfer) { return transfer->done(); });
  return moved;
}

void LinkShm::progress() {
  if (broken()) return;
  try {
    advance();
  } catch (const Error& error) {
    break_link(error.what());
  }
}

std::atomic<std::uint64_t>& LinkShm::entered(int rank) {
  return *reinterpret_cast<std::atomic<std::uint64_t>*>(memory_->segment(rank).data());
}

void LinkShm::barrier() {
  guarded([&] {
    const std::uint64_t mine = ++barriers_;
    entered(rank_).store(mine, std::memory_order_release);
    const auto late = [&](int r) { return entered(r).load(std::memory_order_acquire) < mine; };
    int met = 0;  // ranks below this one have been seen to enter
    const auto open = [&] {
      while (met < size() && !late(met)) ++met;
      return met == size();
    };
    wait_until(
        seconds_left(), [&] { return advance(); }, open,
        [&] { return ranks_where(size(), late) + " at a barrier"; });
  });
}

}  // namespace bench::comm
