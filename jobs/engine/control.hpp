// SPDX-License-Identifier: Apache-2.0
// The control traffic of a run: orders from the coordinator on rank 0 to every rank, reports back. Rank 0's own share goes through memory,
// the rest over a communicator of its own. Waiting is by sleeping.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "src/comm/communicator.hpp"

namespace bench::jobs {

class Control {
 public:
  /// Collective over `world`.
  explicit Control(const comm::Communicator& world) : wire_(comm::Communicator::duplicate(world.get())) {}
  int rank() const { return wire_.rank(); }
  int size() const { return wire_.size(); }

  // The coordinator's side; rank 0 only.
  void order(int rank, const std::string& text);
  std::optional<std::string> next_report();
  /// Sleeps up to `nap`; wakes at once when rank 0 itself reports.
  void rest(std::chrono::microseconds nap);

  // The working side; every rank.
  /// The next order. `while_waiting` is called between looks, and may throw.
  std::string next_order(const std::function<void()>& while_waiting);
  void report(const std::string& text);

 private:
  std::optional<std::string> try_order();
  comm::Communicator wire_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> own_orders_, own_reports_;  // of rank 0 to itself
};

}  // namespace bench::jobs
