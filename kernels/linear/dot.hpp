// SPDX-License-Identifier: Apache-2.0
// Products in whole numbers: activations split into signed bytes meet raw codes in vpdpbusd, 64 products an
// instruction and none to widen a weight. Where the processor has it (AVX512-VNNI, AVX-VNNI) this is how int8
// and int4 weights are read; elsewhere they are widened (tile.hpp).
//
// Digits. Within a group of inputs x is scaled by a power of two to |q| < 2^15 or 2^23 and rounded to a whole
// number q = d0 + 2^8 d1 (+ 2^16 d2), every d in -128..127. Three digits keep 22 bits below the group's
// largest |x|: fp32 sums are no better. Two keep 14, which holds bf16 (8 bits) exactly down to 2^-7 of the
// largest. Each digit is a row of its own for the products, so that one function of R rows serves all.
//
// Codes are stored unsigned, code + kOffset: the start of a sum is -kOffset sum(d), which takes it off again
// before anything is rounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/isa.hpp"
#include "kernels/linear/tile.hpp"
#include "src/core/dtype.hpp"

namespace bench::linear {

/// Inputs that share a sum in 32 bits, and a scale of x, where the recipe has no groups. |sum| < 2^24.
inline constexpr std::int64_t kDotGroup = 512;
/// Inputs are padded to a multiple of this: one vector of x.
inline constexpr std::int64_t kDotGrain = 16;
/// Rows of activations that share a panel while it is in cache.
inline constexpr std::int64_t kDotRowBlock = 32;
inline constexpr std::int64_t kMostDotRows = 4, kMostDigits = 3, kMostDotPanel = 64;

/// What is added to codes so that they are unsigned.
constexpr std::int32_t code_offset(WeightFormat format) { return format == WeightFormat::int4 ? 8 : 128; }

/// A strip of rows as digits. R = rows * digits; row r's digit d, the lowest first, is digit row r * digits + d.
struct DigitStrip {
  std::int32_t* digits;  // (depth / 4, R): four consecutive inputs, a byte each
  std::int32_t* start;   // (groups, R): -kOffset * sum of the digits
  float* scale;          // (groups, rows): what 2^6 of the highest digit is worth
  float* sum;            // (groups, rows): sum of x
};

/// Splits one row, (depth) in fp32 and padded with zeros, into `to`; `to` points at the row's own places in a strip of
/// `rows`. A group that holds an infinity or NaN gets the scale NaN.
struct SplitArgs {
  const float* x;
  std::int64_t depth, group, rows;
  std::int32_t offset;
  DigitStrip to;
};

/// One strip of rows against one panel of output channels. Panels: int8 (depth / 4, panel, 4) bytes, code + 128;
/// int4 (depth / 8, panel, 4) bytes, byte j: code + 8 of input j low, of input j + 4 high.
struct DotArgs {
  DigitStrip x;
  const std::byte* w;
  const std::byte *scale, *zero;  // (groups, panel) of `figures`; int4 only
  DType figures;
  std::int64_t depth, group;
  float* tile;  // (rows, panel): the products are added
};

/// The functions of one instruction set.
struct DotEngine {
  using Split = void (*)(const SplitArgs&);
  using Strip = void (*)(const DotArgs&);
  Isa isa = Isa::plain;
  std::int64_t panel = 0;                                     // output channels a panel
  std::array<Split, 2> split{};                               // [digits - 2]
  std::array<std::array<std::array<Strip, 3>, 2>, 2> strips;  // [int4][digits - 2][log2 rows]

  static std::int64_t next_strip(std::int64_t left) { return left >= 4 ? 4 : left >= 2 ? 2 : 1; }
  Strip strip(WeightFormat format, std::int64_t digits, std::int64_t rows) const;
};

/// The portable twin, which is slow and always there, then those that this processor has.
std::span<const DotEngine> dot_engines();
/// The engine that kernels use: the best with vpdpbusd, or the one a test asked for; null: codes are to be widened.
const DotEngine* dot_engine();
/// Makes kernels prepared from here on use this engine. For tests, which give the choice back with allow_dot_engines.
void force_dot_engine(const DotEngine* engine);
void allow_dot_engines();

}  // namespace bench::linear
