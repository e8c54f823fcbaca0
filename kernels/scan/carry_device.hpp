// SPDX-License-Identifier: Apache-2.0
// Plays a CarrySchedule on a device. What launches is handed in, so that a test plays it with neither device nor CUDA; pointers are the device's, and whoever has
// its memory sets them. The host only queues: posts start after what is on the stream by then, and what needs a message comes after it by Transfer::hold_up.
//
// Bytes on the wire depend on rows and states, never on steps. Slots lie in message memory: states of all rows as a tensor (rows, each) has them, then records, each
// slab of which is one message: its decays, then its states.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/rounding.hpp"
#include "kernels/scan/carry_run.hpp"
#include "kernels/scan/carry_schedule.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {

/// Edges of `slabs` nearly equal slabs of groups x each_group rows; fewer where rows are few. Inside a group edges are multiples of `grain`. They follow from
/// nothing else, so all ranks have the same.
inline std::vector<std::int64_t> slab_edges(std::int64_t groups, std::int64_t each_group, std::int64_t grain, int slabs) {
  const std::int64_t pieces = ceil_div(each_group, grain);
  std::vector<std::int64_t> edges{0};
  for (int s = 1; s <= slabs; ++s) {
    const std::int64_t piece = groups * pieces * s / slabs, edge = piece / pieces * each_group + piece % pieces * grain;
    if (edge > edges.back()) edges.push_back(edge);
  }
  return edges;
}
inline constexpr int kCarrySlabs = 2;

/// The rows of a scan in slabs, and where a slab's numbers lie in a record. Pieces begin at multiples of 256 bytes.
class CarryRows {
 public:
  CarryRows() = default;
  /// Slab s: rows edges[s] .. edges[s + 1] - 1, `each` states a row.
  CarryRows(std::vector<std::int64_t> edges, std::int64_t each) : edges_(std::move(edges)), each_(each) {
    for (int s = 0; s < slabs(); ++s) begins_.push_back(begins_.back() + padded(rows(s)) + padded(rows(s) * each_));
  }
  int slabs() const { return static_cast<int>(edges_.size()) - 1; }
  std::int64_t each() const { return each_; }
  std::int64_t first(int slab) const { return edges_[static_cast<std::size_t>(slab)]; }
  std::int64_t rows(int slab) const { return edges_[static_cast<std::size_t>(slab) + 1] - first(slab); }
  std::int64_t all_rows() const { return edges_.back(); }
  std::int64_t states() const { return all_rows() * each_; }

  // Floats.
  std::int64_t state_slot() const { return padded(states()); }
  std::int64_t record_slot() const { return begins_.back(); }
  std::int64_t decays_at(int slab) const { return begins_[static_cast<std::size_t>(slab)]; }
  std::int64_t ends_at(int slab) const { return decays_at(slab) + padded(rows(slab)); }
  std::int64_t record_floats(int slab) const { return padded(rows(slab)) + rows(slab) * each_; }

 private:
  static std::int64_t padded(std::int64_t floats) { return round_up(floats, 64); }

  std::vector<std::int64_t> edges_{0};
  std::int64_t each_ = 1;
  std::vector<std::int64_t> begins_{0};
};

/// What a rank plays.
struct CarryPlan {
  CarrySchedule schedule;
  CarryRows rows;
  float* memory = nullptr;    // memory_bytes() of message memory
  const float* h0 = nullptr;
  const float* a = nullptr;   // SumDecays
  std::int64_t a_rows = 1;

  CarryPlan() = default;
  CarryPlan(CarrySchedule list, CarryRows of) : schedule(std::move(list)), rows(std::move(of)) {}

  std::int64_t memory_bytes() const { return ((kStateSlots - 1) * rows.state_slot() + schedule.records * rows.record_slot()) * static_cast<std::int64_t>(sizeof(float)); }
  float* states(int slot) const { return memory + (slot - 1) * rows.state_slot(); }  // not kFirst
  const float* start(int slot) const { return slot == kFirst ? h0 : states(slot); }
  float* record(int slot) const { return states(kStateSlots) + slot * rows.record_slot(); }

  /// What a post sends or receives.
  std::span<std::byte> message(const CarryOp& op, int slot) const {
    if (slot == kNoSlot) return {};
    if (!op.states) return bytes(record(slot) + rows.decays_at(op.slab), rows.record_floats(op.slab));
    if (op.slab < 0) return bytes(states(slot), rows.states());
    return bytes(states(slot) + rows.first(op.slab) * rows.each(), rows.rows(op.slab) * rows.each());
  }
  /// `count` records from slot `first` on, `step` slots apart.
  CarryRun run_of(int slab, int first, int count, int step = 1) const {
    CarryRun run;
    run.decays = record(first) + rows.decays_at(slab);
    run.ends = record(first) + rows.ends_at(slab);
    run.decay_step = run.end_step = step * rows.record_slot();
    run.count = count;
    return run;
  }
  CarryJob through(const CarryRun& run, int slab) const {
    CarryJob job;
    job.run = run;
    job.a = a;
    job.a_rows = a_rows;
    job.row0 = rows.first(slab);
    job.rows = rows.rows(slab);
    job.each = rows.each();
    return job;
  }
  /// Makes record `slot` of a run from nothing.
  CarryJob record_of(const CarryRun& run, int slab, int slot) const {
    CarryJob job = through(run, slab);
    job.to = record(slot) + rows.ends_at(slab);
    job.to_decays = record(slot) + rows.decays_at(slab);
    return job;
  }
  CarryJob job_of(const CarryOp& op) const {
    if (op.kind == CarryOp::Kind::join) return record_of(run_of(op.slab, op.earlier, 2, op.out - op.earlier), op.slab, op.in);
    CarryJob job = through(run_of(op.slab, op.earlier, op.count), op.slab);
    job.from = start(op.out) + rows.first(op.slab) * rows.each();
    job.to = states(op.in) + rows.first(op.slab) * rows.each();
    return job;
  }

 private:
  static std::span<std::byte> bytes(float* from, std::int64_t floats) { return std::as_writable_bytes(std::span(from, static_cast<std::size_t>(floats))); }
};

/// Queues one call. Passes::record(slab, slot), Passes::carry(CarryJob) and Passes::scan(slab, the states of all rows before this share) put work on `stream`.
template <class Passes>
void play(const CarryPlan& plan, DeviceLink* link, void* stream, Passes&& passes) {
  std::vector<std::unique_ptr<Transfer>> lanes(static_cast<std::size_t>(plan.schedule.lanes));
  for (const CarryOp& op : plan.schedule.ops) {
    const auto lane = static_cast<std::size_t>(op.lane);
    switch (op.kind) {
      case CarryOp::Kind::record:
        passes.record(op.slab, op.in);
        break;
      case CarryOp::Kind::post:
        lanes[lane] = link->post(plan.message(op, op.out), op.to, plan.message(op, op.in), op.from);
        break;
      case CarryOp::Kind::wait:
        lanes[lane]->hold_up(stream);
        break;
      case CarryOp::Kind::join:
      case CarryOp::Kind::follow:
        passes.carry(plan.job_of(op));
        break;
      case CarryOp::Kind::scan:
        passes.scan(op.slab, plan.start(op.out));
        break;
    }
  }
}

}  // namespace bench::scan
