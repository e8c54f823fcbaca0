// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_faulty.hpp"

#include <chrono>
#include <csignal>
#include <exception>
#include <thread>
#include <utility>

namespace bench::comm {
namespace {

void sleep_really(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void kill_this_process(const Fault&) {
  std::raise(SIGKILL);
}

}  // namespace

/// An exchange of the wrapped link and, with it, a message that had been held back.
class FaultyTransfer final : public Transfer {
 public:
  FaultyTransfer(FaultyLink& link, std::unique_ptr<Transfer> exchange, std::unique_ptr<Transfer> late)
      : link_(link), exchange_(std::move(exchange)), late_(std::move(late)) {}
  void wait() override {
    if (done_) return;
    link_.guarded([&] {
      exchange_->wait();
      if (late_) late_->wait();
    });
    done_ = true;
  }

 private:
  FaultyLink& link_;
  std::unique_ptr<Transfer> exchange_, late_;
  bool done_ = false;
};

FaultyLink::FaultyLink(Link& inner, const std::vector<Fault>& faults, FaultActions actions)
    : inner_(inner), actions_(std::move(actions)) {
  for (const Fault& fault : faults) {
    if (fault.rank == rank()) faults_.push_back(fault);
  }
  if (!actions_.sleep) actions_.sleep = sleep_really;
  if (!actions_.die) actions_.die = kill_this_process;
}

FaultyLink::FaultyLink(std::unique_ptr<Link> inner, const std::vector<Fault>& faults, FaultActions actions)
    : FaultyLink(*inner, faults, std::move(actions)) {
  owned_ = std::move(inner);
}

FaultyLink::~FaultyLink() {
  if (!held_ || broken() || std::uncaught_exceptions() > 0) return;
  try {
    release()->wait();
  } catch (const std::exception&) {  // whoever waits for it has a deadline of his own
  }
}

std::unique_ptr<Transfer> FaultyLink::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                           int from) {
  return guarded([&]() -> std::unique_ptr<Transfer> {
    if (to == rank()) return std::make_unique<FaultyTransfer>(*this, inner_.post(out, to, in, from), nullptr);
    const Fault* fault = fault_of(operations_++);
    count_sent(out.size());
    if (fault != nullptr && fault->kind == FaultKind::delay) actions_.sleep(fault->seconds);
    if (fault != nullptr && fault->kind == FaultKind::die) {
      actions_.die(*fault);
      throw Error(ErrorKind::comm, concat("rank ", rank(), " is gone by order: ", to_text(*fault)));
    }
    std::unique_ptr<Transfer> late = held_ && held_->to == to ? release() : nullptr;
    const bool lost = fault != nullptr && fault->kind == FaultKind::drop;
    const bool hold = fault != nullptr && fault->kind == FaultKind::reorder;
    auto exchange = lost || hold ? receive_only(in, from) : inner_.post(out, to, in, from);
    if (held_) late = release();
    if (hold) held_ = Held{{out.begin(), out.end()}, to};
    return std::make_unique<FaultyTransfer>(*this, std::move(exchange), std::move(late));
  });
}

/// An exchange that sends nothing to anybody: its message is an empty one to oneself, which release() takes.
std::unique_ptr<Transfer> FaultyLink::receive_only(std::span<std::byte> in, int from) {
  return inner_.post({}, rank(), in, from);
}

/// Sends the held message, and takes the empty one that receive_only() left.
std::unique_ptr<Transfer> FaultyLink::release() {
  struct Late final : Transfer {  // keeps the bytes until they are sent
    std::vector<std::byte> bytes;
    std::unique_ptr<Transfer> sent;
    void wait() override { sent->wait(); }
  };
  auto late = std::make_unique<Late>();
  Held held = *std::exchange(held_, std::nullopt);
  late->bytes = std::move(held.bytes);
  late->sent = inner_.post(late->bytes, held.to, {}, rank());
  return late;
}

void FaultyLink::progress() {
  if (broken()) return;
  inner_.progress();
  if (inner_.broken()) break_link(inner_.broken_because());
}

/// Dissemination (Hensgen, Finkel, Manber 1988): after the round of distance d a rank knows that the 2d - 1
/// ranks below it have entered.
void FaultyLink::barrier() {
  for (int distance = 1; distance < size(); distance *= 2)
    sendrecv({}, (rank() + distance) % size(), {}, (rank() - distance + size()) % size());
}

const Fault* FaultyLink::fault_of(std::int64_t operation) const {
  for (const Fault& fault : faults_) {
    if (fault.operation == operation) return &fault;
  }
  return nullptr;
}

void FaultyLink::on_deadline(double seconds_from_now) {
  if (seconds_from_now < kNever_s)
    inner_.set_deadline(seconds_from_now);
  else
    inner_.clear_deadline();
}

}  // namespace bench::comm
