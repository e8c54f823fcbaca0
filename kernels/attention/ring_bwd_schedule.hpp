// SPDX-License-Identifier: Apache-2.0
// The backward pass over travelling keys as data: what one rank does, in order, as a pure function of (ranks,
// rank). A back end (kv_passing_bwd) executes the list, tests play the lists of all ranks against each other.
// RingBwdOp is the vocabulary of all variants in which rows stay: ring, double ring, all-gather.
//
// The ring: keys and values go round as in the forward ring (ring_schedule.hpp): at step s rank r meets the
// block of rank r - s (mod P), P - 1 exchanges. The sums (dK, dV) of a block follow it one step behind: what
// rank r adds to them at step s goes into a fresh slot while the sums of the ranks before it are still
// arriving; both are added up and passed on during step s + 1, and the last exchange brings them home. What a
// rank adds to its own block at step 0 waits there, so the sums travel P - 1 times, not P.
//
// Slots for a block of keys and values: 0 its own, 1 and 2 receive in turn. Slots for sums: 0 its own
// block's, 1 to 3 in turn one that is sent, one that is received and one that is computed.
#pragma once

#include <cstdint>
#include <vector>

namespace bench::attention {

inline constexpr int kRingKeySlots = 3;
inline constexpr int kRingSumSlots = 4;

struct RingBwdOp {
  enum class Kind : std::uint8_t {
    post_keys,  // start, on `lane`, sending key slot slot_out (block of rank source_out) to `to` and
                // receiving the block of source_in from `from` into key slot slot_in
    post_sums,  // the same with slots for sums
    compute,  // meet key slot slot_out, which holds the block of source_out; overwrite sum slot slot_in with
              // what this rank adds to that block's sums
    wait_keys,  // finish the exchange of keys that was posted on `lane`
    wait_sums,  // finish the exchange of sums that was posted on `lane`
    add,        // sum slot slot_in += sum slot slot_out; both hold sums of the block of source_out
  };
  Kind kind = Kind::compute;
  int slot_out = 0, slot_in = 0;
  int source_out = 0, source_in = 0;
  int to = 0, from = 0;
  int lane = 0;  // each carries one exchange of keys and one of sums at a time
};

/// The operations of `rank` in a ring of `ranks` >= 1. At the end sum slot 0 holds the whole sums of the
/// rank's own block.
std::vector<RingBwdOp> ring_bwd_schedule(int ranks, int rank);

}  // namespace bench::attention
