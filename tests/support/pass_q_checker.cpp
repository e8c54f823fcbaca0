// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pass_q_checker.hpp"

#include <optional>
#include <set>
#include <utility>

#include "src/core/error.hpp"
#include "tests/support/slot_play.hpp"

namespace bench::support {
namespace {

using attention::PassQOp;

std::string queries(int owner) {
  return concat("the queries of rank ", owner);
}
std::string partial(int owner, int keys) {
  return concat("what rank ", owner, "'s queries found at rank ", keys);
}

class Checker {
 public:
  explicit Checker(int ranks)
      : size_(ranks), play_(ranks, attention::kPassQSlots), visitor_(static_cast<std::size_t>(ranks)) {
    for (int r = 0; r < ranks; ++r) play_.give(r, 0, queries(r));
  }

  std::string run(const std::vector<std::vector<PassQOp>>& ranks) {
    play_.play(ranks, [&](int r, const PassQOp& op) { return step(r, op); });
    for (int owner = 0; owner < size_; ++owner)
      for (int keys = 0; keys < size_; ++keys)
        if (!home_.contains({owner, keys})) play_.fail(owner, concat("never gets ", partial(owner, keys)));
    return play_.problem();
  }

 private:
  bool step(int r, const PassQOp& op) {
    switch (op.kind) {
      case PassQOp::Kind::wait:
        return play_.wait(r, op.lane);
      case PassQOp::Kind::pass:
        play_.post(r, {op.slot_out, op.slot_in, queries(op.owner_out), queries(op.owner_in), op.to, op.from,
                       op.lane});
        break;
      case PassQOp::Kind::give:
        play_.post(r, {op.slot_out, op.slot_in, partial(op.owner_out, r), partial(op.owner_in, op.from),
                       op.to, op.from, op.lane});
        break;
      case PassQOp::Kind::compute:
        compute(r, op);
        break;
      case PassQOp::Kind::pack:
        pack(r, op);
        break;
      case PassQOp::Kind::merge:
        play_.read(r, op.slot_in, partial(op.owner_in, op.from));
        if (op.owner_in != r) play_.fail(r, "merges what is not its own");
        arrive(r, op.from);
        break;
    }
    return true;
  }

  std::optional<int>& visitor(int r) { return visitor_[static_cast<std::size_t>(r)]; }

  void compute(int r, const PassQOp& op) {
    play_.read(r, op.slot_out, queries(op.owner_out));
    if (op.owner_out == r) return arrive(r, r);
    if (visitor(r)) play_.fail(r, concat("overwrites ", partial(*visitor(r), r)));
    visitor(r) = op.owner_out;
  }

  void pack(int r, const PassQOp& op) {
    if (visitor(r) != op.owner_out) play_.fail(r, concat("has no ", partial(op.owner_out, r)));
    visitor(r).reset();
    play_.write(r, op.slot_out, partial(op.owner_out, r));
  }

  void arrive(int owner, int keys) {
    if (!home_.insert({owner, keys}).second)
      play_.fail(owner, concat("counts ", partial(owner, keys), " twice"));
  }

  int size_;
  SlotPlay play_;
  std::vector<std::optional<int>> visitor_;  // whose partial result a rank's state holds
  std::set<std::pair<int, int>> home_;       // (owner of the queries, owner of the keys)
};

}  // namespace

std::string check_pass_q(const std::vector<std::vector<PassQOp>>& ranks) {
  return Checker(static_cast<int>(ranks.size())).run(ranks);
}

}  // namespace bench::support
