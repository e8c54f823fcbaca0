// SPDX-License-Identifier: Apache-2.0
// Executes a list of RingOps on a device: kv_passing.hpp's counterpart, of the same lists. What launches is handed in, so that a test plays it with neither
// device nor CUDA; pointers are the device's, and whoever has its memory sets them.
//
// The host only queues. A post starts after what is on the stream by then, so it receives into a slot that no launch reads any more, and what computes
// on a received block comes after its exchange by Transfer::hold_up. The launch that follows a post runs beside it.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/attention/hop_job.hpp"
#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/share_attention.hpp"
#include "src/core/link.hpp"

namespace bench::attention {

/// What a rank plays.
struct KvPlan {
  std::vector<RingOp> schedule;
  Shares shares;
  int rank = 0;
  HopJob own{};                    // of the rank's own rows; keys, bounds, first and last follow from the hop
  std::vector<std::byte*> slots;   // each of slot_bytes; a block of K, then V, (B, Hkv, n, D) each, both of its rank's length
  std::int64_t slot_bytes = 0, row_bytes = 0;  // of the longest block; of K's rows at one position, all heads
  std::vector<std::int32_t> bounds;            // of the other ranks' shares one after the other; empty where every row sees every key
  std::vector<std::int64_t> bounds_at;         // by rank, where its own begin in them
  const std::int32_t* bounds_data = nullptr;   // them, on the device

  KvPlan() = default;
  KvPlan(const AttentionProblem& p, int own_rank, std::vector<RingOp> list) : schedule(std::move(list)), shares(p), rank(own_rank) {
    AttentionProblem mine = p;
    mine.seq = shares.length(rank);
    static_cast<DeviceJob&>(own) = device_job(mine);
    row_bytes = share_elements(p, p.kv_heads, 1) * size_of(p.dtype);
    slot_bytes = (2 * longest_share(p) * row_bytes + kAlignment - 1) / kAlignment * kAlignment;
    int last = 0;
    for (const RingOp& op : schedule) last = std::max({last, op.slot_out, op.slot_in});
    slots.resize(static_cast<std::size_t>(last) + 1);
    for (int r = 0; r < static_cast<int>(p.ranks) && p.causal; ++r) {
      bounds_at.push_back(static_cast<std::int64_t>(bounds.size()));
      if (r == rank) continue;
      const auto of_share = hop_bounds(shares.of(rank), shares.of(r));
      bounds.insert(bounds.end(), of_share.begin(), of_share.end());
    }
  }

  std::int64_t memory_bytes() const { return slot_bytes * static_cast<std::int64_t>(slots.size()); }
  void place(std::byte* memory) {
    for (std::byte*& slot : slots) slot = std::exchange(memory, memory + slot_bytes);
  }
  std::span<std::byte> block(int slot, int source) const {
    return {slots[static_cast<std::size_t>(slot)], static_cast<std::size_t>(2 * shares.length(source) * row_bytes)};
  }
  /// Whether the rank has rows that see some key of a block.
  bool computes(const RingOp& op) const {
    if (op.kind != RingOp::Kind::compute || own.seq == 0 || shares.length(op.source_out) == 0) return false;
    return !own.causal || shares.of(op.source_out).front() <= shares.of(rank).back();
  }
  HopJob hop(const RingOp& op) const {
    HopJob job = own;
    job.kv_seq = static_cast<int>(shares.length(op.source_out));
    job.k = slots[static_cast<std::size_t>(op.slot_out)];
    job.v = slots[static_cast<std::size_t>(op.slot_out)] + shares.length(op.source_out) * row_bytes;
    job.causal = own.causal && op.source_out == rank;  // both have the same positions
    job.bounds = own.causal && op.source_out != rank ? bounds_data + bounds_at[static_cast<std::size_t>(op.source_out)] : nullptr;
    return job;
  }

 private:
  static constexpr std::int64_t kAlignment = 256;
};

/// Queues one call. `launch(HopJob)` puts a hop on `stream`.
template <class Launch>
void play(const KvPlan& plan, DeviceLink* link, void* stream, Launch&& launch) {
  std::int64_t to_come = 0;
  for (const RingOp& op : plan.schedule) to_come += plan.computes(op) ? 1 : 0;
  bool first = true;
  std::array<std::unique_ptr<Transfer>, kExchangeLanes> lanes;
  for (const RingOp& op : plan.schedule) {
    std::unique_ptr<Transfer>& lane = lanes[static_cast<std::size_t>(op.lane)];
    if (op.kind == RingOp::Kind::post) lane = link->post(plan.block(op.slot_out, op.source_out), op.to, plan.block(op.slot_in, op.source_in), op.from);
    if (op.kind == RingOp::Kind::wait) lane->hold_up(stream);
    if (!plan.computes(op)) continue;
    HopJob job = plan.hop(op);
    job.first = std::exchange(first, false);
    job.last = --to_come == 0;
    launch(job);
  }
}

}  // namespace bench::attention
