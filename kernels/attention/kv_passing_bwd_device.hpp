// SPDX-License-Identifier: Apache-2.0
// Executes a list of RingBwdOps on a device: kv_passing_bwd.hpp's counterpart, of the same lists; built as kv_passing_device.hpp is. dQ's sums stay with the
// rows, in fp32, in the main kernel's own order; dK's and dV's travel in fp32 with their block. All three are rounded once, at the end.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/attention/hop_job.hpp"
#include "kernels/attention/kv_passing_bwd.hpp"
#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/sum_parts.hpp"

namespace bench::attention {

/// What a rank plays.
struct KvBwdPlan {
  std::vector<RingBwdOp> schedule;
  Shares shares;
  int rank = 0;
  BwdJob own{};                 // of the rank's own rows; keys, bounds, dk and dv follow from the hop
  void *dk = nullptr, *dv = nullptr;  // in the problem's dtype, the end of it
  std::vector<std::byte*> keys, sums;  // slots: K, then V in the problem's dtype; dK, then dV in fp32
  std::int64_t key_slot_bytes = 0, sum_slot_bytes = 0;
  std::int64_t row_elements = 0;       // of K at one position, all heads
  std::vector<std::int32_t> bounds;    // as in KvPlan
  std::vector<std::int64_t> bounds_at;
  const std::int32_t* bounds_data = nullptr;

  KvBwdPlan() = default;
  KvBwdPlan(const AttentionProblem& p, int own_rank, std::vector<RingBwdOp> list) : schedule(std::move(list)), shares(p), rank(own_rank) {
    static_cast<DeviceJob&>(own) = device_job(own_problem(p));
    row_elements = share_elements(p, p.kv_heads, 1);
    const std::int64_t block = 2 * longest_share(p) * row_elements;
    key_slot_bytes = aligned(block * kElementBytes);
    sum_slot_bytes = aligned(block * kSumBytes);
    const BwdSlots slots = slots_of(schedule);
    keys.resize(static_cast<std::size_t>(slots.keys));
    sums.resize(static_cast<std::size_t>(slots.sums));
    for (int r = 0; r < static_cast<int>(p.ranks) && p.causal; ++r) {
      bounds_at.push_back(static_cast<std::int64_t>(bounds.size()));
      if (r == rank) continue;
      const auto of_share = hop_bounds(shares.of(rank), shares.of(r));
      bounds.insert(bounds.end(), of_share.begin(), of_share.end());
    }
  }

  /// The rank's own rows as a problem: what its scratch is measured by.
  AttentionProblem own_problem(AttentionProblem p) const {
    p.seq = shares.length(rank);
    return p;
  }
  std::int64_t memory_bytes() const { return key_slot_bytes * static_cast<std::int64_t>(keys.size()) + sum_slot_bytes * static_cast<std::int64_t>(sums.size()); }
  void place(std::byte* memory) {
    for (std::byte*& slot : keys) slot = std::exchange(memory, memory + key_slot_bytes);
    for (std::byte*& slot : sums) slot = std::exchange(memory, memory + sum_slot_bytes);
  }
  /// Of K or V, dK or dV.
  std::int64_t elements(int source) const { return shares.length(source) * row_elements; }
  std::span<std::byte> key_block(int slot, int source) const {
    return {keys[static_cast<std::size_t>(slot)], static_cast<std::size_t>(2 * elements(source) * kElementBytes)};
  }
  std::span<std::byte> sum_block(int slot, int source) const {
    return {sums[static_cast<std::size_t>(slot)], static_cast<std::size_t>(2 * elements(source) * kSumBytes)};
  }
  float* sum(int slot) const { return reinterpret_cast<float*>(sums[static_cast<std::size_t>(slot)]); }

  /// Whether some row of the rank sees some key of a block.
  bool sees(int source) const {
    if (own.seq == 0 || shares.length(source) == 0) return false;
    return !own.causal || shares.of(source).front() <= shares.of(rank).back();
  }
  BwdJob hop(const RingBwdOp& op) const {
    BwdJob job = own;
    std::byte* const block = keys[static_cast<std::size_t>(op.slot_out)];
    job.kv_seq = static_cast<int>(shares.length(op.source_out));
    job.k = block;
    job.v = block + elements(op.source_out) * kElementBytes;
    job.dk = sum(op.slot_in);
    job.dv = sum(op.slot_in) + elements(op.source_out);
    job.causal = own.causal && op.source_out == rank;  // both have the same positions
    job.bounds = own.causal && op.source_out != rank ? bounds_data + bounds_at[static_cast<std::size_t>(op.source_out)] : nullptr;
    return job;
  }

 private:
  static constexpr std::int64_t kElementBytes = 2, kSumBytes = sizeof(float);
  static std::int64_t aligned(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }
};

/// Queues one call. `launch` puts on `stream`: begin(BwdJob) delta and cleared sums of the own rows, backward(BwdJob) a block of keys, clear(bytes),
/// add(SumJob), end(BwdJob) dQ rounded, round(SumJob).
template <class Launch>
void play(const KvBwdPlan& plan, DeviceLink* link, void* stream, const Launch& launch) {
  using Kind = RingBwdOp::Kind;
  std::array<std::unique_ptr<Transfer>, kExchangeLanes> key_lanes, sum_lanes;
  if (plan.own.seq > 0) launch.begin(plan.own);
  for (const RingBwdOp& op : plan.schedule) {
    auto &key_lane = key_lanes[static_cast<std::size_t>(op.lane)], &sum_lane = sum_lanes[static_cast<std::size_t>(op.lane)];
    const std::int64_t count = 2 * plan.elements(op.source_out);
    if (op.kind == Kind::post_keys) key_lane = link->post(plan.key_block(op.slot_out, op.source_out), op.to, plan.key_block(op.slot_in, op.source_in), op.from);
    if (op.kind == Kind::post_sums) sum_lane = link->post(plan.sum_block(op.slot_out, op.source_out), op.to, plan.sum_block(op.slot_in, op.source_in), op.from);
    if (op.kind == Kind::wait_keys) key_lane->hold_up(stream);
    if (op.kind == Kind::wait_sums) sum_lane->hold_up(stream);
    if (op.kind == Kind::compute && plan.sees(op.source_out)) launch.backward(plan.hop(op));
    if (op.kind == Kind::compute && !plan.sees(op.source_out) && count > 0) launch.clear(plan.sum_block(op.slot_in, op.source_out));
    if (op.kind == Kind::add && count > 0) launch.add({plan.sum(op.slot_out), plan.sum(op.slot_in), nullptr, count});
  }
  if (plan.own.seq == 0) return;
  launch.end(plan.own);
  const std::int64_t mine = plan.elements(plan.rank);
  launch.round({plan.sum(0), nullptr, plan.dk, mine});
  launch.round({plan.sum(0) + mine, nullptr, plan.dv, mine});
}

}  // namespace bench::attention
