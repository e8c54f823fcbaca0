// SPDX-License-Identifier: Apache-2.0
// Ulysses as data (Jacobs et al. 2023, arXiv 2309.14509): two all-to-alls around a compute that needs no
// communication. First every rank sends each other rank the rows it holds of that rank's heads; then each
// attends with its heads to the whole sequence; then results go back the same way.
//
// Round d sends to r + d and receives from r - d (mod P), two rounds in flight. Slots 0 and 1 are sent from,
// 2 and 3 received into; the round for oneself (d = 0) is unpacked from the slot it was packed into.
#pragma once

#include <cstdint>
#include <vector>

namespace bench::attention {

inline constexpr int kUlyssesSlots = 4;

struct UlyssesOp {
  enum class Kind : std::uint8_t {
    pack,    // slot_out becomes the cargo for rank `to`
    post,    // start, on `lane`, sending slot_out to `to` and receiving from `from` into slot_in
    wait,    // finish the exchange that was posted on `lane`
    unpack,  // the cargo from rank `from` in slot_in goes where it belongs
    attend,  // all inputs are here: every result of this rank's heads
  };
  enum class Cargo : std::uint8_t { inputs, results };
  Kind kind = Kind::attend;
  Cargo cargo = Cargo::inputs;
  int slot_out = 0, slot_in = 0;
  int to = 0, from = 0;
  int lane = 0;
};

/// The operations of `rank` in a group of `ranks` >= 1.
std::vector<UlyssesOp> ulysses_schedule(int ranks, int rank);

}  // namespace bench::attention
