// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_faulty.hpp"

#include <chrono>
#include <csignal>
#include <thread>
#include <utility>
#include <vector>

namespace bench::comm {
namespace {

void sleep_really(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void kill_this_process(const Fault&) {
  std::raise(SIGKILL);
}

}  // namespace

/// An exchange of the wrapped link. A lost message, and a held one for now, is replaced by an empty one to
/// oneself, which a held message takes when it leaves.
class FaultyTransfer final : public Transfer {
 public:
  FaultyTransfer(FaultyLink& link, std::unique_ptr<Transfer> exchange)
      : link_(link), exchange_(std::move(exchange)) {}
  ~FaultyTransfer() override {
    if (link_.held_ && link_.held_->owner == this) link_.held_.reset();  // an exception unwinds
  }

  void hold(std::span<const std::byte> out) { bytes_.assign(out.begin(), out.end()); }
  void send_late(int to) { late_ = link_.inner_.post(bytes_, to, {}, link_.rank()); }

  void wait() override {
    if (done_) return link_.require_whole();
    link_.guarded([&] {
      link_.release();
      exchange_->wait();
      if (late_) late_->wait();
    });
    done_ = true;
  }

 private:
  FaultyLink& link_;
  std::vector<std::byte> bytes_;  // outlives late_
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

std::unique_ptr<Transfer> FaultyLink::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                           int from) {
  return guarded([&] {
    if (to == rank()) return std::make_unique<FaultyTransfer>(*this, inner_.post(out, to, in, from));
    const Fault* fault = fault_of(operations_++);
    count_sent(out.size());
    if (fault != nullptr && fault->kind == FaultKind::delay) actions_.sleep(fault->seconds);
    if (fault != nullptr && fault->kind == FaultKind::die) {
      actions_.die(*fault);
      throw Error(ErrorKind::comm, concat("rank ", rank(), " is gone by order: ", to_text(*fault)));
    }
    if (held_ && held_->to == to) release();
    const bool lost = fault != nullptr && fault->kind == FaultKind::drop;
    const bool hold = fault != nullptr && fault->kind == FaultKind::reorder;
    auto exchange = lost || hold ? inner_.post({}, rank(), in, from) : inner_.post(out, to, in, from);
    release();
    auto transfer = std::make_unique<FaultyTransfer>(*this, std::move(exchange));
    if (hold) {
      transfer->hold(out);
      held_ = Held{transfer.get(), to};
    }
    return transfer;
  });
}

/// Lets the held message go, when there is one.
void FaultyLink::release() {
  if (!held_) return;
  const Held held = *std::exchange(held_, std::nullopt);
  held.owner->send_late(held.to);
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
