// SPDX-License-Identifier: Apache-2.0
// The block primitive of the linear kernels: a strip of activation rows meets a panel of output channels over
// a block of inputs. Lanes are output channels, so no sum runs across lanes and the same layout serves one
// row (a matrix-vector product, bound by reading the weights) and many (bound by multiply-adds).
//
// Weights are widened to fp32 in registers: a panel is read once per strip, as narrow as it is stored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/isa.hpp"
#include "kernels/rounding.hpp"

namespace bench::linear {

/// Inputs that one call of a strip function takes at most: a panel's block (98 KB in fp32) stays in L2 while
/// all strips use it, a strip's block (16 KB) in L1.
inline constexpr std::int64_t kDepthBlock = 512;
/// Rows of activations that share a panel's block while it is in cache; a multiple of every strip.
inline constexpr std::int64_t kRowBlock = 96;
/// Bounds over all engines: rows a strip, output channels a panel.
inline constexpr std::int64_t kMostStripRows = 8, kMostPanel = 48;
/// Packed inputs are padded with zeros to a multiple of this.
inline constexpr std::int64_t kDepthGrain = 8;

/// How a panel's weights are stored; of `panel` output channels c and inputs k:
///   f32 bf16 f16 int8   (k, c)
///   int4                (k / 2, c), a byte each: code + 8 of an even k in the low half, of the odd one above
///   it
enum class WeightFormat : std::uint8_t { f32, bf16, f16, int8, int4 };
inline constexpr int kWeightFormats = 5;

/// Bytes of one output channel of `depth` inputs, depth even.
inline std::int64_t packed_bytes(WeightFormat format, std::int64_t depth) {
  switch (format) {
    case WeightFormat::f32:
      return 4 * depth;
    case WeightFormat::bf16:
    case WeightFormat::f16:
      return 2 * depth;
    case WeightFormat::int8:
      return depth;
    case WeightFormat::int4:
      return depth / 2;
  }
  return 0;
}

/// One strip of rows against one panel.
struct StripArgs {
  const float* x;       // (depth, rows)
  const float* x_sums;  // (groups, rows): sums of x over each group; int4 only
  const std::byte* w;   // the panel's block
  const float* scale;   // (groups, panel); int4 only
  const float* zero;    // (groups, panel); int4 only
  std::int64_t depth;   // inputs, a multiple of kDepthGrain, at most kDepthBlock
  std::int64_t group;   // inputs a group, a divisor of kDepthBlock; the last one may be short
  float* tile;          // (rows, panel): the products are added
};
using StripFunction = void (*)(const StripArgs&);

/// Strips have 8, 4, 2 or 1 rows.
inline constexpr int kStripSizes = 4;

/// The strip functions of one instruction set.
struct TileEngine {
  Isa isa = Isa::plain;
  std::int64_t rows = 0;                                                        // most rows a strip
  std::int64_t panel = 0;                                                       // output channels a panel
  std::array<std::array<StripFunction, kStripSizes>, kWeightFormats> strips{};  // [format][log2 rows]

  /// Rows of the next strip when `left` are to be done: the largest power of two that fits.
  std::int64_t next_strip(std::int64_t left) const {
    std::int64_t size = rows;
    while (size > left) size /= 2;
    return size;
  }
  void run(WeightFormat format, std::int64_t strip_rows, const StripArgs& args) const;
};

/// All engines that this processor can run, the plain one first; the last one is the best.
std::span<const TileEngine> tile_engines();
/// The engine that kernels use: the best, or the one that a test asked for.
const TileEngine& tile_engine();
/// Makes kernels prepared from here on use this engine; null: the best again. For tests.
void force_tile_engine(const TileEngine* engine);

}  // namespace bench::linear
