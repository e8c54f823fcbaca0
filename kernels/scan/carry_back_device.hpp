// SPDX-License-Identifier: Apache-2.0
// A backward pass between devices whose states are computed again: carries go up the ranks with states, then down with gradients, and sums over all steps go to all ranks.
// What selective_bwd_share_device and ssd_bwd_share_device have in common; what launches is handed in, as for carry_device.hpp.
//
// The two exchanges come one after the other on every rank: a chain that receives from above before it has sent there would wait for ever, as a link does its posts in their order.
// Sums are gathered and added up in the ranks' order, so that every rank has the same bits in every run, whatever a transport's own sum would do.
#pragma once

#include <memory>
#include <span>

#include "kernels/scan/carry_device.hpp"
#include "kernels/scan/ordered_sum.hpp"

namespace bench::scan {

/// What a rank plays. Whoever has the tensors sets both plans' h0 (h0, and dh_last) and decays, `total` and the memory.
struct BackPlan {
  CarryPlan up, down;    // what down leaves behind all, kLast, is dh0
  std::int64_t sums = 0, ranks = 1;
  float* total = nullptr;  // `sums` numbers, of all ranks

  BackPlan() = default;
  /// `forward`: the forward pass's plan, whose rows and records are the same in both directions.
  BackPlan(const CarryPlan& forward, Exchange how, std::int64_t all_ranks, int rank, std::int64_t sum_count) : up(forward), down(forward), sums(sum_count), ranks(all_ranks) {
    const int count = static_cast<int>(ranks), slabs = forward.rows.slabs();
    up.schedule = carry_schedule(how, count, rank, slabs, false);  // nobody asks for the last state
    down.schedule = back_schedule(how, count, rank, slabs);
  }

  std::int64_t memory_bytes() const { return up.memory_bytes() + down.memory_bytes() + (ranks + 1) * sum_slot() * kFloat; }
  /// memory_bytes() of message memory; null for one rank.
  void place(float* memory) {
    up.memory = memory;
    if (memory == nullptr) return;
    down.memory = memory + up.memory_bytes() / kFloat;
    mine_ = down.memory + down.memory_bytes() / kFloat;
  }
  /// Where this rank leaves its sums.
  float* mine() const { return ranks > 1 ? mine_ : total; }

  std::unique_ptr<Transfer> post_sums(DeviceLink& link) const { return link.post_allgather(bytes(mine_, sums), bytes(all(), ranks * sums)); }
  OrderedSum sum_of_ranks() const { return {all(), total, sums, static_cast<int>(ranks)}; }

 private:
  static constexpr std::int64_t kFloat = sizeof(float);
  static std::span<std::byte> bytes(float* from, std::int64_t count) { return std::as_writable_bytes(std::span(from, static_cast<std::size_t>(count))); }
  std::int64_t sum_slot() const { return round_up(sums, 64); }
  float* all() const { return mine_ + sum_slot(); }

  float* mine_ = nullptr;
};

/// Queues one call. Up and Down: passes as carry_device.hpp has them. On::sum_share(mine) leaves this rank's sums; On::meanwhile() is what is left to do while they travel;
/// On::sum(OrderedSum) adds up.
template <class Up, class Down, class On>
void play_both(const BackPlan& plan, DeviceLink* link, void* stream, Up&& up, Down&& down, const On& on) {
  play(plan.up, link, stream, up);
  play(plan.down, link, stream, down);
  on.sum_share(plan.mine());
  const auto sums = link != nullptr ? plan.post_sums(*link) : nullptr;
  on.meanwhile();
  if (sums == nullptr) return;
  sums->hold_up(stream);
  on.sum(plan.sum_of_ranks());
}

}  // namespace bench::scan
