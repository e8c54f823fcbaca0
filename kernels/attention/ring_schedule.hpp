// SPDX-License-Identifier: Apache-2.0
// Moving keys and values as data: what one rank does, in order, as a pure function of (ranks, rank). A back
// end (kv_passing) executes the list; the list itself is tested for every group size without a transport.
// RingOp is the vocabulary of all variants in which blocks of keys and values travel and queries stay: ring,
// double ring, all-gather.
//
// The ring: each rank holds three slots for a block of keys and values: slot 0 its own, never overwritten;
// slots 1 and 2 receive in turn. At step s rank r computes with the block of rank r - s (mod P) while it
// passes that block on to r + 1 and receives the block of r - s - 1 from r - 1 (Liu, Zaharia, Abbeel 2023,
// "Ring Attention with Blockwise Transformers"). P steps, P - 1 exchanges.
#pragma once

#include <cstdint>
#include <vector>

namespace bench::attention {

inline constexpr int kRingSlots = 3;
/// Exchanges that a rank may have in flight, one a lane: two sends and two receives, the most that one group
/// of a GPU transport should hold.
inline constexpr int kExchangeLanes = 2;

struct RingOp {
  enum class Kind : std::uint8_t {
    post,  // start, on `lane`, sending slot_out (block of rank source_out) to `to` and receiving the block of
           // source_in from `from` into slot_in
    compute,  // attend to slot_out, which holds the block of rank source_out
    wait,     // finish the exchange that was posted on `lane`
  };
  Kind kind = Kind::compute;
  int slot_out = 0, slot_in = 0;
  int source_out = 0, source_in = 0;
  int to = 0, from = 0;
  int lane = 0;
};

/// The operations of `rank` in a ring of `ranks` >= 1.
std::vector<RingOp> ring_schedule(int ranks, int rank);

}  // namespace bench::attention
