// SPDX-License-Identifier: Apache-2.0
// The executor of UlyssesOps over a Link, which the forward and the backward pass share: they differ in what
// their messages hold.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/ulysses_schedule.hpp"
#include "src/core/link.hpp"
#include "src/core/tensor.hpp"

namespace bench::attention {

/// kUlyssesSlots slots of at least `bytes` each.
inline std::vector<Tensor> ulysses_slots(std::int64_t bytes) {
  std::vector<Tensor> slots;
  for (int i = 0; i < kUlyssesSlots; ++i) slots.emplace_back(DType::f64, Shape{(bytes + 7) / 8});
  return slots;
}

/// The slots as play_ulysses takes them.
inline auto places_in(std::vector<Tensor>& slots) {
  return [&slots](int i) { return slots[static_cast<std::size_t>(i)].data(); };
}

/// Plays one rank's list; all ranks call it together. `slot(i)` is where slot i begins. On a device what `work` does is put on `stream`, which waits for
/// exchanges as the host does elsewhere. `work` knows the messages:
///   std::int64_t bytes(bool inputs, int from, int to)        the length of one
///   void pack(bool inputs, int to, std::byte* message)       fills the one for `to`
///   void unpack(bool inputs, int from, const std::byte* m)   takes the one of `from` in
///   void attend()                                            computes, between inputs and results
template <class Slot, class Work>
void play_ulysses(const std::vector<UlyssesOp>& schedule, Slot&& slot, Link& link, Work&& work,
                  void* stream = nullptr) {
  std::array<std::unique_ptr<Transfer>, kExchangeLanes> lanes = {};
  const auto message = [&](const UlyssesOp& op, int index, int from, int to) {
    const std::int64_t bytes = work.bytes(op.cargo == UlyssesOp::Cargo::inputs, from, to);
    return std::span(slot(index), static_cast<std::size_t>(bytes));
  };
  for (const UlyssesOp& op : schedule) {
    auto& lane = lanes[static_cast<std::size_t>(op.lane)];
    const bool inputs = op.cargo == UlyssesOp::Cargo::inputs;
    switch (op.kind) {
      case UlyssesOp::Kind::pack:
        work.pack(inputs, op.to, slot(op.slot_out));
        break;
      case UlyssesOp::Kind::post:
        lane = link.post(message(op, op.slot_out, link.rank(), op.to), op.to,
                         message(op, op.slot_in, op.from, link.rank()), op.from);
        break;
      case UlyssesOp::Kind::wait:
        lane->hold_up(stream);
        break;
      case UlyssesOp::Kind::unpack:
        work.unpack(inputs, op.from, slot(op.slot_in));
        break;
      case UlyssesOp::Kind::attend:
        work.attend();
        break;
    }
  }
}

}  // namespace bench::attention
