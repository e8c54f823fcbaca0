// SPDX-License-Identifier: Apache-2.0
// Plays the op lists of all ranks of a group against each other, with slots that hold names of data instead
// of data. What a list may do with slots and exchanges is checked here, whatever travels; what its computes
// mean is checked by the callers (ring_checker, pass_q_checker, ulysses_checker).
//
// Rules: a slot that is being sent or received into is not written, one that is being received into is not
// read; a read-only slot is never written; a slot holds what its reader says it does; what a rank announces
// to receive is what its peer sends, in the order of posts per pair of ranks; a lane carries one exchange at
// a time and a rank has at most kMostInFlight sends and receives under way; an exchange is over only when
// both peers have posted theirs (so a list that needs buffered sends is caught); no rank waits for ever;
// nothing is left in flight or unreceived.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bench::support {

inline constexpr int kMostInFlight = 4;

/// One exchange as a rank announces it: what its slots hold, by name.
struct Hop {
  int slot_out, slot_in;
  std::string out, in;
  int to, from, lane;
};

class SlotPlay {
 public:
  SlotPlay(int ranks, int slots);

  /// Fills a slot before the play; nothing may write it from then on.
  void give(int rank, int slot, const std::string& what);

  void post(int rank, const Hop& hop);
  /// False when a peer has to move first.
  bool wait(int rank, int lane);
  void read(int rank, int slot, const std::string& what);
  void write(int rank, int slot, const std::string& what);

  /// Notes the first violation, with the rank's place in its list.
  void fail(int rank, const std::string& what);
  bool failed() const { return !problem_.empty(); }
  /// The first violation in words, or nothing.
  const std::string& problem() const { return problem_; }

  /// Runs every rank's list as far as it gets, round after round. `step(rank, op)` executes one op by the
  /// calls above and returns false when it has to be tried again.
  template <class Op, class Step>
  void play(const std::vector<std::vector<Op>>& lists, Step&& step) {
    bool moved = true;
    while (moved && !failed()) {
      moved = false;
      for (std::size_t r = 0; r < lists.size(); ++r)
        while (!failed() && next_[r] < lists[r].size() && step(static_cast<int>(r), lists[r][next_[r]])) {
          ++next_[r];
          moved = true;
        }
    }
    for (std::size_t r = 0; r < lists.size(); ++r)
      if (next_[r] < lists[r].size()) fail(static_cast<int>(r), "waits for ever");
    check_end();
  }

 private:
  struct InFlight {
    Hop hop;
    std::size_t send_number, receive_number;  // on their wires
  };
  struct Wire {
    std::vector<std::string> sent, expected;
  };
  struct Rank {
    std::vector<std::optional<std::string>> holds;  // by slot
    std::set<int> read_only;
    std::map<int, InFlight> lanes;
  };

  Rank& at(int rank) { return ranks_[static_cast<std::size_t>(rank)]; }
  bool slot_exists(int slot) const { return slot >= 0 && slot < slots_; }
  bool peer_exists(int peer) const { return peer >= 0 && peer < static_cast<int>(ranks_.size()); }
  bool receiving(const Rank& rank, int slot) const;
  bool sending(const Rank& rank, int slot) const;
  /// Whether `rank` may write `slot` now; notes why not.
  bool may_write(int rank, int slot);
  void check_end();

  int slots_;
  std::vector<Rank> ranks_;
  std::vector<std::size_t> next_;              // op, by rank
  std::map<std::pair<int, int>, Wire> wires_;  // (from, to)
  std::string problem_;
};

}  // namespace bench::support
