// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_threads.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "src/comm/link_wait.hpp"
#include "src/core/error.hpp"

namespace bench::comm {
namespace {

struct Payload {
  std::vector<std::byte> bytes;
  bool of_a_gather = false;
};

constexpr double kFar_s =
    3600.0;  // how long one nap of a wait without a deadline is; the clock's arithmetic takes no infinity

// What the others see when one rank failed: never the cause.
class Echo final : public Error {
 public:
  explicit Echo(const std::string& message) : Error(ErrorKind::comm, message) {}
};

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
  explicit Board(int size)
      : size_(size), channels_(count() * count()), arrived_(count()), entered_(count()) {}
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

  Payload receive(int from, int to, std::uint64_t ticket, std::size_t bytes, double seconds_left) {
    std::unique_lock lock(mutex_);
    Channel& box = channel(from, to);
    const auto there = [&] { return box.holds(ticket) || aborted_; };
    wait(lock, arrived_[static_cast<std::size_t>(to)], to, seconds_left, there,
         [&] { return rank_to_send(from, bytes); });
    check_alive();
    return box.take(ticket);
  }

  void barrier(int rank, double seconds_left) {
    std::unique_lock lock(mutex_);
    check_alive();
    const auto mine = ++entered_[static_cast<std::size_t>(rank)];
    const auto late = [&](int r) { return entered_[static_cast<std::size_t>(r)] < mine; };
    const auto all_in = [&] {
      return std::ranges::all_of(entered_, [&](auto rounds) { return rounds >= mine; });
    };
    if (all_in()) return barrier_open_.notify_all();
    wait(
        lock, barrier_open_, rank, seconds_left, [&] { return all_in() || aborted_; },
        [&] { return ranks_where(size_, late) + " at a barrier"; });
    if (!all_in()) check_alive();
  }

  void abort(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    abort_locked(reason);
  }

 private:
  std::size_t count() const { return static_cast<std::size_t>(size_); }
  Channel& channel(int from, int to) {
    return channels_[static_cast<std::size_t>(from) * count() + static_cast<std::size_t>(to)];
  }
  void check_alive() const {
    if (aborted_) throw Echo(concat("link: the group was aborted: ", *aborted_));
  }
  void abort_locked(const std::string& reason) {
    if (!aborted_) aborted_ = reason;
    for (auto& waiter : arrived_) waiter.notify_all();
    barrier_open_.notify_all();
  }

  /// Until `ready()`, or until the deadline: then the group is poisoned, since `rank` will not be there for
  /// its peers any more.
  template <class Ready, class Whom>
  void wait(std::unique_lock<std::mutex>& lock, std::condition_variable& waiter, int rank,
            double seconds_left, Ready&& ready, Whom&& whom) {
    const LinkWait patience(seconds_left);
    while (!ready()) {
      const double left_s = std::min(seconds_left - patience.waited_s(), kFar_s);
      if (left_s <= 0.0) {
        abort_locked(concat("rank ", rank, " gave up waiting for ", whom()));
        patience.give_up(whom());
      }
      waiter.wait_for(lock, std::chrono::duration<double>(left_s));
    }
  }

  const int size_;
  std::mutex mutex_;
  std::vector<Channel> channels_;                 // [from][to]
  std::vector<std::condition_variable> arrived_;  // [to]; only rank `to` waits on it
  std::condition_variable barrier_open_;
  std::vector<std::uint64_t> entered_;  // [rank] barriers so far
  std::optional<std::string> aborted_;
};

class LinkThreads final : public Link {
 public:
  LinkThreads(std::shared_ptr<Board> board, int rank) : board_(std::move(board)), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return board_->size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override;
  void progress() override {}
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    allgather_by_posts(mine, all);
  }
  void barrier() override {
    guarded([&] { board_->barrier(rank_, seconds_left()); });
  }

  Board& board() { return *board_; }
  void receive(int from, std::uint64_t ticket, std::span<std::byte> in, bool gathering) {
    guarded([&] {
      const auto [bytes, of_a_gather] = board_->receive(from, rank_, ticket, in.size(), seconds_left());
      if (of_a_gather != gathering) {
        throw Error(ErrorKind::comm,
                    concat("link: ranks ", rank_, " and ", from, " are out of step: one is in an allgather"));
      }
      if (bytes.size() != in.size()) {
        throw Error(ErrorKind::comm, concat("link: rank ", rank_, " has a buffer of ", in.size(),
                                            " bytes for a message of ", bytes.size(), " from rank ", from));
      }
      if (!bytes.empty()) std::memcpy(in.data(), bytes.data(), bytes.size());
    });
  }

 private:
  double now_s() const override { return steady_now_s(); }
  std::shared_ptr<Board> board_;
  int rank_;
};

class ThreadTransfer final : public Transfer {
 public:
  ThreadTransfer(LinkThreads& link, int from, std::span<std::byte> in, bool gathering)
      : link_(link),
        from_(from),
        in_(in),
        gathering_(gathering),
        ticket_(link.board().ticket(from, link.rank())) {}
  void wait() override {
    if (!done_) link_.receive(from_, ticket_, in_, gathering_);
    done_ = true;
  }

 private:
  LinkThreads& link_;
  int from_;
  std::span<std::byte> in_;
  bool gathering_;
  std::uint64_t ticket_;
  bool done_ = false;
};

std::unique_ptr<Transfer> LinkThreads::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                            int from) {
  BS_REQUIRE(to >= 0 && to < size() && from >= 0 && from < size(), "link: no rank ", to, " or ", from,
             " in a group of ", size());
  return guarded([&] {
    auto transfer = std::make_unique<ThreadTransfer>(*this, from, in, gathering());
    board_->send(rank_, to, Payload{{out.begin(), out.end()}, gathering()});
    if (to != rank_) count_sent(out.size());
    return transfer;
  });
}

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
  std::exception_ptr cause, echo;
  const auto fail = [&](Link& link, std::exception_ptr& what, const std::string& reason) {
    {
      const std::lock_guard lock(mutex);
      if (!what) what = std::current_exception();
    }
    abort_thread_links(link, concat("rank ", link.rank(), ": ", reason));
  };
  std::vector<std::jthread> threads;
  for (const auto& link : links) {
    threads.emplace_back([&body, &fail, &cause, &echo, &link] {
      try {
        body(*link);
      } catch (const Echo& error) {
        fail(*link, echo, error.what());
      } catch (const std::exception& error) {
        fail(*link, cause, error.what());
      } catch (...) {
        fail(*link, cause, "stopped by something that is not a std::exception");
      }
    });
  }
  threads.clear();  // joins
  if (cause || echo) std::rethrow_exception(cause ? cause : echo);
}

}  // namespace bench::comm
