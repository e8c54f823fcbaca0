// SPDX-License-Identifier: Apache-2.0
#include "tests/support/ulysses_checker.hpp"

#include <set>

#include "src/core/error.hpp"
#include "tests/support/slot_play.hpp"

namespace bench::support {
namespace {

using attention::UlyssesOp;

std::string cargo(UlyssesOp::Cargo cargo, int from, int to) {
  return concat(cargo == UlyssesOp::Cargo::inputs ? "inputs" : "results", " of rank ", from, " for rank ",
                to);
}

struct Progress {
  std::set<int> inputs, results;  // unpacked, by source
  bool attended = false;
};

class Checker {
 public:
  explicit Checker(std::size_t ranks)
      : play_(static_cast<int>(ranks), attention::kUlyssesSlots), progress_(ranks) {}

  std::string run(const std::vector<std::vector<UlyssesOp>>& ranks) {
    play_.play(ranks, [&](int r, const UlyssesOp& op) { return step(r, op); });
    for (std::size_t r = 0; r < progress_.size(); ++r)
      if (progress_[r].results.size() != ranks.size()) play_.fail(static_cast<int>(r), "lacks results");
    return play_.problem();
  }

 private:
  bool step(int r, const UlyssesOp& op) {
    Progress& progress = progress_[static_cast<std::size_t>(r)];
    switch (op.kind) {
      case UlyssesOp::Kind::wait:
        return play_.wait(r, op.lane);
      case UlyssesOp::Kind::post:
        play_.post(r, {op.slot_out, op.slot_in, cargo(op.cargo, r, op.to), cargo(op.cargo, op.from, r), op.to,
                       op.from, op.lane});
        break;
      case UlyssesOp::Kind::pack:
        if (op.cargo == UlyssesOp::Cargo::results && !progress.attended)
          play_.fail(r, "packs results before there are any");
        play_.write(r, op.slot_out, cargo(op.cargo, r, op.to));
        break;
      case UlyssesOp::Kind::unpack:
        unpack(r, op, progress);
        break;
      case UlyssesOp::Kind::attend:
        if (progress.inputs.size() != progress_.size()) play_.fail(r, "attends before all inputs are there");
        if (progress.attended) play_.fail(r, "attends twice");
        progress.attended = true;
        break;
    }
    return true;
  }

  void unpack(int r, const UlyssesOp& op, Progress& progress) {
    play_.read(r, op.slot_in, cargo(op.cargo, op.from, r));
    const bool inputs = op.cargo == UlyssesOp::Cargo::inputs;
    if (inputs && progress.attended) play_.fail(r, "unpacks inputs after attending");
    if (!(inputs ? progress.inputs : progress.results).insert(op.from).second)
      play_.fail(r, concat("unpacks ", cargo(op.cargo, op.from, r), " twice"));
  }

  SlotPlay play_;
  std::vector<Progress> progress_;  // by rank
};

}  // namespace

std::string check_ulysses(const std::vector<std::vector<UlyssesOp>>& ranks) {
  return Checker(ranks.size()).run(ranks);
}

}  // namespace bench::support
