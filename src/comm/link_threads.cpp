// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_threads.hpp"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "src/core/error.hpp"

namespace bench::comm {
namespace {

using Payload = std::vector<std::byte>;

// Messages from one rank to another. Receives hold tickets, so that two receives in flight take their
// messages in the order they were posted, whatever the order of their waits.
struct Channel {
  std::deque<std::optional<Payload>> messages;  // an emptied slot was taken out of turn
  std::uint64_t first = 0;                      // number of messages.front()
  std::uint64_t next_ticket = 0;                // of the next receive to be posted

  bool holds(std::uint64_t ticket) const { return ticket < first + messages.size(); }
  Payload take(std::uint64_t ticket) {
    auto& slot = messages[ticket - first];
    Payload payload = std::move(*slot);
    slot.reset();
    while (!messages.empty() && !messages.front()) {
      messages.pop_front();
      ++first;
    }
    return payload;
  }
};

// What the ranks of a group share. One mutex guards it all; payloads are copied outside of it.
class Board {
 public:
  explicit Board(int size) : size_(size), channels_(count() * count()), arrived_(count()) {}
  int size() const { return size_; }

  void send(int from, int to, Payload payload) {
    const std::lock_guard lock(mutex_);
    check_alive();
    channel(from, to).messages.emplace_back(std::move(payload));
    arrived_[static_cast<std::size_t>(to)].notify_one();
  }

  std::uint64_t ticket(int from, int to) {
    const std::lock_guard lock(mutex_);
    return channel(from, to).next_ticket++;
  }

  Payload receive(int from, int to, std::uint64_t ticket) {
    std::unique_lock lock(mutex_);
    Channel& box = channel(from, to);
    arrived_[static_cast<std::size_t>(to)].wait(lock, [&] { return box.holds(ticket) || aborted_; });
    check_alive();
    return box.take(ticket);
  }

  void barrier() {
    std::unique_lock lock(mutex_);
    check_alive();
    const auto mine = barrier_round_;
    if (++at_barrier_ == size_) {
      at_barrier_ = 0;
      ++barrier_round_;
      barrier_open_.notify_all();
      return;
    }
    barrier_open_.wait(lock, [&] { return barrier_round_ != mine || aborted_; });
    if (barrier_round_ == mine) check_alive();
  }

  void abort(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (!aborted_) aborted_ = reason;
    for (auto& waiter : arrived_) waiter.notify_all();
    barrier_open_.notify_all();
  }

 private:
  std::size_t count() const { return static_cast<std::size_t>(size_); }
  Channel& channel(int from, int to) {
    return channels_[static_cast<std::size_t>(from) * count() + static_cast<std::size_t>(to)];
  }
  void check_alive() const { BS_REQUIRE(!aborted_, "link: the group was aborted: ", *aborted_); }

  const int size_;
  std::mutex mutex_;
  std::vector<Channel> channels_;                 // [from][to]
  std::vector<std::condition_variable> arrived_;  // [to]; only rank `to` waits on it
  std::condition_variable barrier_open_;
  int at_barrier_ = 0;
  std::uint64_t barrier_round_ = 0;
  std::optional<std::string> aborted_;
};

class ThreadTransfer final : public Transfer {
 public:
  ThreadTransfer(Board& board, int from, int me, std::span<std::byte> in)
      : board_(board), from_(from), me_(me), in_(in), ticket_(board.ticket(from, me)) {}

  void wait() override {
    if (done_) return;
    const Payload payload = board_.receive(from_, me_, ticket_);
    BS_REQUIRE(payload.size() == in_.size(), "link: rank ", me_, " has a buffer of ", in_.size(),
               " bytes for a message of ", payload.size(), " from rank ", from_);
    if (!payload.empty()) std::memcpy(in_.data(), payload.data(), payload.size());
    done_ = true;
  }

 private:
  Board& board_;
  int from_, me_;
  std::span<std::byte> in_;
  std::uint64_t ticket_;
  bool done_ = false;
};

class LinkThreads final : public Link {
 public:
  LinkThreads(std::shared_ptr<Board> board, int rank) : board_(std::move(board)), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return board_->size(); }

  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override {
    BS_REQUIRE(to >= 0 && to < size() && from >= 0 && from < size(), "link: no rank ", to, " or ", from,
               " in a group of ", size());
    auto transfer = std::make_unique<ThreadTransfer>(*board_, from, rank_, in);
    board_->send(rank_, to, Payload(out.begin(), out.end()));
    if (to != rank_) count_sent(out.size());
    return transfer;
  }

  void progress() override {}

  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    const std::size_t each = mine.size();
    BS_REQUIRE(all.size() == each * static_cast<std::size_t>(size()), "allgather: ", all.size(),
               " bytes of room for ", size(), " x ", each);
    // Round d pairs every rank with the ones d places up and down: no two ranks flood the same mailbox.
    for (int distance = 0; distance < size(); ++distance) {
      const int from = (rank_ - distance + size()) % size();
      sendrecv(mine, (rank_ + distance) % size(), all.subspan(static_cast<std::size_t>(from) * each, each),
               from);
    }
  }

  void barrier() override { board_->barrier(); }
  Board& board() { return *board_; }

 private:
  std::shared_ptr<Board> board_;
  int rank_;
};

}  // namespace

std::vector<std::unique_ptr<Link>> make_thread_links(int size) {
  BS_REQUIRE(size >= 1, "a group needs at least one rank, not ", size);
  const auto board = std::make_shared<Board>(size);
  std::vector<std::unique_ptr<Link>> links;
  for (int r = 0; r < size; ++r) links.push_back(std::make_unique<LinkThreads>(board, r));
  return links;
}

void abort_thread_links(Link& link, const std::string& reason) {
  auto* threads = dynamic_cast<LinkThreads*>(&link);
  BS_REQUIRE(threads != nullptr, "abort_thread_links: not a link between threads");
  threads->board().abort(reason);
}

void run_on_threads(int size, const std::function<void(Link&)>& body) {
  const auto links = make_thread_links(size);
  std::mutex mutex;
  std::exception_ptr cause;
  const auto fail = [&](Link& link, const std::string& reason) {
    {
      const std::lock_guard lock(mutex);
      if (!cause) cause = std::current_exception();
    }
    abort_thread_links(link, concat("rank ", link.rank(), ": ", reason));
  };
  std::vector<std::jthread> threads;
  for (const auto& link : links) {
    threads.emplace_back([&body, &fail, &link] {
      try {
        body(*link);
      } catch (const std::exception& error) {
        fail(*link, error.what());
      } catch (...) {
        fail(*link, "stopped by something that is not a std::exception");
      }
    });
  }
  threads.clear();  // joins
  if (cause) std::rethrow_exception(cause);
}

}  // namespace bench::comm
