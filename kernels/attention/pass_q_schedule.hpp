// SPDX-License-Identifier: Apache-2.0
// Pass-Q as data: queries go round, keys and values stay, partial results go straight home (Yang et al. 2024,
// arXiv 2411.01783, whose results return in one all-to-all at the end; here each returns behind the next
// compute, as TokenRing does).
//
// At step s rank r holds the queries of rank r - s (mod P) and attends with them to its own keys. Step 0 goes
// into the rank's own state; later steps make a partial result that is sent to its owner r - s, while the
// partial of the own queries arrives from r + s and is merged in the order s = 1, 2, ... P - 1, so the bits
// do not depend on timing. Lane 0 carries queries, lane 1 results: two exchanges in flight.
//
// Query slots: 0 the own ones, never overwritten; 1 and 2 receive in turn. Result slots: 3 computed here and
// on its way home; 4 arriving.
#pragma once

#include <cstdint>
#include <vector>

namespace bench::attention {

inline constexpr int kQuerySlots = 3;
inline constexpr int kPassQSlots = 5;

struct PassQOp {
  enum class Kind : std::uint8_t {
    pass,     // start, on lane 0, sending slot_out (queries of rank owner_out) to `to`, receiving those of
              // owner_in from `from` into slot_in
    compute,  // the queries of owner_out in slot_out meet the own keys: into the visitors' state, or for the
              // own queries into the own state
    pack,     // the visitors' state, of the queries of owner_out, becomes a partial result in slot_out
    give,     // start, on lane 1, sending the partial of owner_out's queries in slot_out home to `to` and
              // receiving the one of the own queries that rank `from` made into slot_in
    wait,     // finish the exchange that was posted on `lane`
    merge,    // the partial in slot_in, made by rank `from`, joins the own state
  };
  Kind kind = Kind::compute;
  int slot_out = 0, slot_in = 0;
  int owner_out = 0, owner_in = 0;
  int to = 0, from = 0;
  int lane = 0;
};

/// The operations of `rank` in a group of `ranks` >= 1.
std::vector<PassQOp> pass_q_schedule(int ranks, int rank);

}  // namespace bench::attention
