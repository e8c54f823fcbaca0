// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/control.hpp"

#include "src/comm/idle_wait.hpp"

namespace bench::jobs {
namespace {

constexpr int kOrderTag = 72, kReportTag = 71;

std::optional<std::string> take(std::deque<std::string>& queue) {
  if (queue.empty()) return std::nullopt;
  std::string text = std::move(queue.front());
  queue.pop_front();
  return text;
}

}  // namespace

void Control::order(int rank, const std::string& text) {
  if (rank != 0) return wire_.send(text, rank, kOrderTag);
  const std::lock_guard lock(mutex_);
  own_orders_.push_back(text);
}

std::optional<std::string> Control::next_report() {
  {
    const std::lock_guard lock(mutex_);
    if (auto own = take(own_reports_)) return own;
  }
  if (size() == 1) return std::nullopt;
  auto message = wire_.try_recv(comm::Communicator::kAnySource, kReportTag);
  if (!message) return std::nullopt;
  return std::move(message->payload);
}

void Control::rest(std::chrono::microseconds nap) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, nap, [&] { return !own_reports_.empty(); });
}

std::optional<std::string> Control::try_order() {
  if (rank() == 0) {
    const std::lock_guard lock(mutex_);
    return take(own_orders_);
  }
  auto message = wire_.try_recv(0, kOrderTag);
  if (!message) return std::nullopt;
  return std::move(message->payload);
}

std::string Control::next_order(const std::function<void()>& while_waiting) {
  comm::IdleWait idle;
  for (;;) {
    if (auto text = try_order()) return std::move(*text);
    while_waiting();
    idle.pause();
  }
}

void Control::report(const std::string& text) {
  if (rank() != 0) return wire_.send(text, 0, kReportTag);
  {
    const std::lock_guard lock(mutex_);
    own_reports_.push_back(text);
  }
  wake_.notify_all();
}

}  // namespace bench::jobs
