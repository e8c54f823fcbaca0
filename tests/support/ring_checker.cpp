// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ring_checker.hpp"

#include "src/core/error.hpp"
#include "tests/support/slot_play.hpp"

namespace bench::support {
namespace {

using attention::RingOp;

std::string block(int source) {
  return concat("the keys of rank ", source);
}

}  // namespace

std::string check_ring(const std::vector<std::vector<RingOp>>& ranks, int slots) {
  const int size = static_cast<int>(ranks.size());
  SlotPlay play(size, slots);
  for (int r = 0; r < size; ++r) play.give(r, 0, block(r));
  std::vector<std::vector<int>> met(ranks.size(), std::vector<int>(ranks.size(), 0));  // [rank][source]

  play.play(ranks, [&](int r, const RingOp& op) {
    if (op.kind == RingOp::Kind::wait) return play.wait(r, op.lane);
    if (op.kind == RingOp::Kind::post) {
      play.post(
          r, {op.slot_out, op.slot_in, block(op.source_out), block(op.source_in), op.to, op.from, op.lane});
      return true;
    }
    play.read(r, op.slot_out, block(op.source_out));
    if (play.failed()) return true;
    if (++met[static_cast<std::size_t>(r)][static_cast<std::size_t>(op.source_out)] > 1)
      play.fail(r, concat("meets ", block(op.source_out), " twice"));
    return true;
  });
  for (int r = 0; r < size; ++r)
    for (int source = 0; source < size; ++source)
      if (met[static_cast<std::size_t>(r)][static_cast<std::size_t>(source)] != 1)
        play.fail(r, concat("never meets ", block(source)));
  return play.problem();
}

}  // namespace bench::support
