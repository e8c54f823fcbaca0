// SPDX-License-Identifier: Apache-2.0
// What a rank with a device does, in order, so that its share of a scan starts from the right state: a list of operations, as a pure function of the way carries
// travel, the ranks, the rank and the slabs. carry_device.hpp plays the list; the list itself is tested with no transport.
//
// A slab is a part of the scan's rows (channels or heads), which do not depend on each other. With two of them one's exchange runs beside the other's passes:
//
//   record 0, its exchange begins | record 1, its exchange begins | start of 0, scan 0 | start of 1, scan 1
//
// h_last is made of the records too, before the last share is scanned, so that its way to all ranks is hidden behind the last scan. Posts of a link are done
// in their order, so what one of them receives the next may send.
//
//   allgather  every rank gets all records: P - 1 messages of a record, all at once; h_last needs no message. Right up to some 16 ranks
//   chain      the state goes from rank to rank: one message of a state a slab, P - 1 hops for the last
//   exscan     recursive doubling (Hillis and Steele 1986): ceil(log2 P) messages of a record, one after the other
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/scan/carry.hpp"

namespace bench::scan {

/// Slots for states of all rows. h0 is memory of its own, the others are message memory.
enum StateSlot : int { kFirst, kStart, kLast, kNext, kStateSlots };  // before the first rank's steps, before this rank's, behind all; behind this rank's
inline constexpr int kNoSlot = -1;

struct CarryOp {
  enum class Kind : std::uint8_t {
    record,  // the steps of this share, from zero: record slot `in`, or nothing where nobody asks for it
    post,    // start, on `lane`, sending slot `out` to `to` and receiving slot `in` from `from`; states or records; nothing for kNoSlot
    wait,    // what comes next needs the exchange that was posted on `lane`
    join,    // record `in` <- that of the steps of record `earlier`, then of record `out`; `in` is neither
    follow,  // states `in` <- states `out` after `count` records from `earlier` on
    scan,    // the steps of this share, from states `out`
  };
  Kind kind = Kind::scan;
  int slab = 0;  // -1: all of them, for a message of states
  int out = kNoSlot, in = kNoSlot, earlier = kNoSlot, count = 0;
  bool states = false;
  int to = 0, from = 0, lane = 0;
};

struct CarrySchedule {
  std::vector<CarryOp> ops;
  int records = 0;  // slots for them, the same on all ranks
  int lanes = 0;    // posts; each has its own
};

/// The operations of `rank`. One rank only records nothing and scans. `last_to_all`: every rank gets the state behind the last share, in slot kLast.
CarrySchedule carry_schedule(Exchange how, int ranks, int rank, int slabs, bool last_to_all = true);

/// The same where the steps run from the last rank's to the first one's: the last rank starts from kFirst, and kLast is what the first one leaves.
CarrySchedule back_schedule(Exchange how, int ranks, int rank, int slabs);

}  // namespace bench::scan
