// SPDX-License-Identifier: Apache-2.0
// Codes as a device's tensor cores take them: packets of 16 bytes a lane, in memory in the order in which warps read them, so that no code passes through shared
// memory or between lanes before it is multiplied.
//
// A packet of 32 lanes holds 16 rows of w by 64 inputs (int4) or 32 (int8): 16 inputs a step, one mma.m16n8k16 each. In step d lane 4 g + t has of rows g and g + 8 the
// inputs 16 d + 2 t, + 1 and 16 d + 8 + 2 t, + 1, which is the operand a of that instruction (PTX ISA, 9.7.14.5.8), and b of two with eight rows of w each.
//   int4  word d: pair r (r = 0 .. 3, as the instruction numbers its registers) at bits 4 r and 16 + 4 r, as code + 8
//   int8  words 2 d, 2 d + 1: pair r in word r / 2 at bits 8 (r mod 2) and 16 + 8 (r mod 2), in two's complement
// Rows behind the last and inputs behind K have code 0 and scale 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cuda/function.hpp"
#include "kernels/linear/quantise.hpp"

namespace bench::linear {

inline constexpr int kPacketRows = 16, kPacketBytes = 512, kPacketWords = kPacketBytes / 4;

BS_HOST_DEVICE constexpr int packet_inputs(int bits) { return 256 / bits; }

/// Where a code lies: which word of a packet, and its lowest bit there. `row` and `input` are those within the packet.
struct CodePlace {
  int word, bit;
};
BS_HOST_DEVICE constexpr CodePlace code_place(int bits, int row, int input) {
  const int step = input / 16, lane = row % 8 * 4 + input % 8 / 2, pair = row / 8 + input % 16 / 8 * 2, high = input % 2 * 16;
  if (bits == 4) return {lane * 4 + step, pair * 4 + high};
  return {lane * 4 + step * 2 + pair / 2, pair % 2 * 8 + high};
}

/// A layer's codes on their way to a device.
struct CodePackets {
  std::int64_t tiles = 0, chunks = 0, groups = 0;  // of 16 rows; packets along K; groups along K, those of padding included
  std::vector<std::uint32_t> words;                // (tiles, chunks, 128)
  std::vector<std::byte> scales;                   // int4: (tiles, groups, 8, 2, 2), scale and zero point of rows g and g + 8; int8: (tiles, 16); in the layer's dtype
};
CodePackets pack_codes(const Quantised& q, DType dtype, std::int64_t threads);

}  // namespace bench::linear
