// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/worker.hpp"

#include "scaling/parameters.hpp"
#include "src/comm/fault_tolerance.hpp"
#include "src/comm/link_faulty.hpp"

namespace bench::jobs {
namespace {

constexpr double kSoonerOnDevices = 0.9;  // of a visit's limit: while the link between the processes can still tell all ranks what happened

Outcome outcome_of(ErrorKind kind) {
  if (kind == ErrorKind::timeout) return Outcome::timeout;
  return kind == ErrorKind::unavailable ? Outcome::skipped : Outcome::comm_error;
}

}  // namespace

/// The record of a visit, whatever happens in it; only the loss of a peer leaves as an exception.
analysis::VisitRecord Worker::visit(const Order& order) {
  const scaling::Case& c = plan_.cases[static_cast<std::size_t>(order.case_index)];
  const bool shares_cores = scaling::is_oversubscribed(c, machine_);
  analysis::VisitRecord record{.case_id = c.id, .ranks = c.ranks};
  const Armed armed(watchdog_, order.limit_s + 2.0 * grace_s(order.limit_s));
  const double begin = clock_();
  DeviceLink* device_link = nullptr;
  try {
    const int first = static_cast<int>(order.first_rank), size = static_cast<int>(order.ranks);
    const comm::LinkKind kind = comm::parse_link_kind(scaling::link_of(c.params));
    const bool on_devices = kind == comm::LinkKind::nccl;
    Link& sound = links_.get(first, size, order.generation, on_devices ? comm::LinkKind::mpi : kind);
    if (on_devices) device_link = &links_.get_device(first, size, order.generation);
    comm::FaultyLink faulty(sound, faults_);
    Link& link = faults_.empty() ? sound : faulty;
    link.set_deadline(order.limit_s);
    if (device_link != nullptr) device_link->set_deadline(kSoonerOnDevices * order.limit_s);
    record = harness_.visit(c, link, shares_cores, device_link);
    link.clear_deadline();
    if (device_link != nullptr) device_link->clear_deadline();
  } catch (const Error& error) {
    if (comm::follows_a_death(error, world_)) throw comm::peer_lost();
    record.outcome = outcome_of(error.kind());
    record.reason = error.what();
    const std::string lost = why_lost(Registry<Kernel>::instance().find(c.kernel)->backend, device_link);
    if (!lost.empty()) record.reason += "; " + lost;
    record.ended_process = !lost.empty();
  }
  record.visit = order.visit;
  record.attempt = order.attempt;
  record.block = order.block;
  record.first_rank = order.first_rank;
  record.placement = order.placement;
  record.neighbours = order.neighbours;
  record.start_s = begin - start_s_;
  record.oversubscribed = shares_cores;
  working_s_ += clock_() - begin;
  return record;
}

void Worker::obey(const Order& order) {
  const Report done{order.assignment, visit(order)};
  if (world_.rank() != order.first_rank) return;
  unsent_.assign(1, to_text(done));
  control_.report(unsent_.back());
}

void Worker::run(const std::function<void()>& while_waiting) {
  for (;;) {
    const Order order = parse_order(control_.next_order(while_waiting));
    unsent_.clear();  // rank 0 journals a report before it gives the block something new
    if (order.leave) return;
    obey(order);
  }
}

}  // namespace bench::jobs
