// SPDX-License-Identifier: Apache-2.0
// While a round is under way the next one is packed and the one before it unpacked.
#include "kernels/attention/ulysses_schedule.hpp"

#include "kernels/attention/ring_schedule.hpp"
#include "src/core/error.hpp"

namespace bench::attention {
namespace {

using Kind = UlyssesOp::Kind;
using Cargo = UlyssesOp::Cargo;

class AllToAll {
 public:
  AllToAll(int ranks, int rank, std::vector<UlyssesOp>& ops) : ranks_(ranks), rank_(rank), ops_(ops) {}

  void append(Cargo cargo) {
    push(Kind::pack, cargo, 0);
    push(Kind::unpack, cargo, 0);
    for (int distance = 1; distance < ranks_; ++distance) {
      finish(cargo, distance - kExchangeLanes);
      push(Kind::pack, cargo, distance);
      push(Kind::post, cargo, distance);
    }
    for (int distance = ranks_ - kExchangeLanes; distance < ranks_; ++distance) finish(cargo, distance);
  }

 private:
  void finish(Cargo cargo, int distance) {
    if (distance < 1) return;
    push(Kind::wait, cargo, distance);
    push(Kind::unpack, cargo, distance);
  }
  void push(Kind kind, Cargo cargo, int distance) {
    const int lane = distance % kExchangeLanes;
    ops_.push_back({.kind = kind,
                    .cargo = cargo,
                    .slot_out = lane,
                    .slot_in = distance == 0 ? lane : kExchangeLanes + lane,
                    .to = (rank_ + distance) % ranks_,
                    .from = (rank_ - distance + ranks_) % ranks_,
                    .lane = lane});
  }

  int ranks_, rank_;
  std::vector<UlyssesOp>& ops_;
};

}  // namespace

std::vector<UlyssesOp> ulysses_schedule(int ranks, int rank) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "all-to-all of ", ranks, " has no rank ", rank);
  std::vector<UlyssesOp> ops;
  AllToAll rounds(ranks, rank, ops);
  rounds.append(Cargo::inputs);
  ops.push_back({.kind = Kind::attend});
  rounds.append(Cargo::results);
  return ops;
}

}  // namespace bench::attention
