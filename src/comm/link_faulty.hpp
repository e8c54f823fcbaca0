// SPDX-License-Identifier: Apache-2.0
// A Link that breaks on order: it wraps any other and lets the given faults happen to this rank's messages.
//
// All traffic becomes point-to-point posts of the wrapped link (an allgather and a barrier too), so that
// every message of every call can be hit, on every back end alike. Per message to another rank, counted from
// 0 in the order of the posts:
//   delay    sleeps before it is sent; the answer must not change
//   drop     it is never sent, the sender notices nothing; its receiver runs into the deadline
//   reorder  it is held back and sent after the next message that is posted before anything is waited for.
//            Between the same two ranks the order is kept, as every Link promises (receives match by order
//            alone); such a message, and one that is waited for, is just late. The answer must not change
//   die      calls FaultActions::die
// A message to oneself touches no wire and is not counted.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "src/comm/fault.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

/// What a fault does to the process; tests put a clock of their own or an exception here.
struct FaultActions {
  std::function<void(double seconds)> sleep;  // empty: sleeps
  std::function<void(const Fault&)> die;      // empty: SIGKILL to this process
};

class FaultyTransfer;

class FaultyLink final : public Link {
 public:
  /// Faults of other ranks than `inner`'s are ignored, so that all ranks may be given the same list. `inner`
  /// must outlive this link.
  FaultyLink(Link& inner, const std::vector<Fault>& faults, FaultActions actions = {});
  FaultyLink(std::unique_ptr<Link> inner, const std::vector<Fault>& faults, FaultActions actions = {});
  FaultyLink(const FaultyLink&) = delete;
  FaultyLink& operator=(const FaultyLink&) = delete;

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override;
  void progress() override;
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    allgather_by_posts(mine, all);
  }
  void barrier() override;

  /// Messages to other ranks so far: what Fault::operation counts.
  std::int64_t operations() const { return operations_; }

 private:
  friend class FaultyTransfer;
  /// A message that waits for the next one; its exchange has to be done with it in the end.
  struct Held {
    FaultyTransfer* owner = nullptr;
    int to = 0;
  };

  void on_deadline(double seconds_from_now) override;
  const Fault* fault_of(std::int64_t operation) const;
  void release();

  std::unique_ptr<Link> owned_;
  Link& inner_;
  std::vector<Fault> faults_;
  FaultActions actions_;
  std::int64_t operations_ = 0;
  std::optional<Held> held_;
};

}  // namespace bench::comm
