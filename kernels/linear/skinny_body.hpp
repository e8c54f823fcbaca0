// SPDX-License-Identifier: Apache-2.0
// One block's work of a quantised layer with few rows of x: 16 kDown outputs of up to 8 kAcross rows, over a span of K. The body only: skinny_launch.cuh launches it, and a
// test runs it on the host.
//
// A layer with few rows is as fast as its weights are read, so everything serves that: a lane takes 16 bytes of packets (packets.hpp) at a time, past L1, with the
// next ones on their way before x is looked at and while the last ones are used. Eight warps take packets along K in turn. Codes become pairs of 16-bit numbers by three
// instructions a pair (unpack.hpp) and meet x in the tensor cores: for one row seven eighths of a product are wasted, but a lane's 32 codes take four
// instructions where its ordinary lanes would need 64 a row. The products of a group are summed in fp32 on their own; then
//   y += scale sum(x code) + zero sum(x),
// the latter by one more product, with ones. Warps' sums meet in shared memory, those of splits of K in global memory, where the last block of a tile to come adds them
// up: each time in the same order, so bits depend on the cut alone.
#pragma once

#include <cstdint>

#include "kernels/linear/skinny_rows.hpp"
#include "kernels/linear/unpack.hpp"

namespace bench::linear {

/// How much a block takes: tiles of 16 outputs, tiles of 8 rows of x, and packets of each tile that a warp has on their way.
struct SkinnyShape {
  int down, across, ahead;
};
inline constexpr SkinnyShape kOneOrTwoRows{1, 1, 4}, kEightRows{4, 1, 1}, kSixteenRows{4, 2, 1};

/// kGroup: inputs that are scaled at once, 32 or 64, whatever more of them share a scale. int8 has one scale, for the end.
template <class M, class T, int kBits, int kGroup, SkinnyShape kShape>
class Skinny {
 public:
  static constexpr int kWarps = kSkinnyWarps, kThreads = kWarps * 32;
  static constexpr int kColumns = kPacketRows * kShape.down, kRows = 8 * kShape.across;  // of y
  static constexpr int kInputs = packet_inputs(kBits);
  using Rows = SkinnyRows<M, T, kRows>;
  static constexpr int kBlocksEach = kShape.down == 1 && Rows::kParts == 1 ? 2 : 1;  // of a multiprocessor, as far as registers go

  static BS_HOST_DEVICE int tiles(const SkinnyJob& job) { return (job.n + kColumns - 1) / kColumns * ((job.m + kRows - 1) / kRows); }
  static BS_HOST_DEVICE int blocks(const SkinnyJob& job) { return tiles(job) * job.splits; }
  static BS_HOST_DEVICE int shared_bytes(const SkinnyJob& job) {
    const int rows = Rows::bytes(job.m < kRows ? job.m : kRows, job.chunks_each * kInputs), sums = kWarps * kRows * kPitch * 4;
    return rows > sums ? rows : sums;
  }
  /// Packets along K whose inputs of `rows` rows fit into so many bytes.
  static std::int64_t most_chunks(int rows, std::int64_t bytes) {
    std::int64_t most = 1;
    while (Rows::bytes(rows, static_cast<int>(2 * most * kInputs)) <= bytes) most *= 2;
    return most;
  }

  BS_DEVICE explicit Skinny(const SkinnyJob& job)
      : job_(job),
        tile_(M::block() / job.splits),
        split_(M::block() % job.splits),
        column0_(tile_ % across(job) * kColumns),
        row0_(tile_ / across(job) * kRows),
        first_(split_ * job.chunks_each),
        end_(first_ + job.chunks_each < job.chunks ? first_ + job.chunks_each : job.chunks),
        rows_(job.m - row0_ < kRows ? job.m - row0_ : kRows) {}

  BS_DEVICE void run() {
    int chunk = first_ + M::thread() / 32;
    Ahead next = {};
    load(next, chunk);
    Rows rows(job_, row0_, rows_, first_ * kInputs, job_.chunks_each * kInputs);
    rows.fetch();
    for (; chunk < end_; chunk += kStep) {
      const Ahead now = next;
      load(next, chunk + kStep);
      BS_UNROLL
      for (int i = 0; i < kShape.ahead; ++i)
        if (chunk + i * kWarps < end_) multiply(now, i, rows, chunk + i * kWarps - first_);
    }
    M::sync();  // nobody reads x any more
    leave_sums();
    M::sync();
    if (job_.splits == 1)
      finish();
    else
      meet();
  }

 private:
  using Element = typename Rows::Element;
  using Pairs = typename Rows::Pairs;
  static constexpr int kStep = kWarps * kShape.ahead, kParts = Rows::kParts;
  static constexpr int kPieces = kBits == 4 ? kInputs / kGroup : 1;  // of a packet, each scaled at once
  static constexpr int kThirtyTwos = kInputs / kPieces / 32;         // of inputs a piece
  static constexpr int kPitch = kColumns + 4;                        // of sums: the lanes of a warp meet in no bank

  /// Scale and zero point of a row of w, then of the eighth below it.
  struct alignas(4 * sizeof(T)) Scales {
    T of[4];
  };
  struct Ahead {
    typename M::Words codes[kShape.ahead][kShape.down];
    Scales scales[kShape.ahead][kShape.down][kPieces];
  };

  static BS_HOST_DEVICE int across(const SkinnyJob& job) { return (job.n + kColumns - 1) / kColumns; }

  BS_DEVICE void load(Ahead& to, int chunk) const {
    BS_UNROLL
    for (int i = 0; i < kShape.ahead; ++i) {
      if (chunk + i * kWarps >= end_) continue;
      BS_UNROLL
      for (int r = 0; r < kShape.down; ++r)
        if (column0_ + r * kPacketRows < job_.n) load_packet(to, i, r, chunk + i * kWarps);
    }
  }
  BS_DEVICE void load_packet(Ahead& to, int i, int r, int chunk) const {
    const int lane = M::thread() % 32;
    const std::int64_t tile = column0_ / kPacketRows + r;
    to.codes[i][r] = M::load16(static_cast<const std::uint8_t*>(job_.packets) + (tile * job_.chunks + chunk) * kPacketBytes + lane * 16);
    if constexpr (kBits == 4) {
      BS_UNROLL
      for (int piece = 0; piece < kPieces; ++piece) {
        const int group = (chunk * kInputs + piece * kGroup) >> job_.group_bits;
        to.scales[i][r][piece] = static_cast<const Scales*>(job_.scales)[(tile * job_.groups + group) * 8 + lane / 4];
      }
    }
  }

  /// Packet i of those here, which lies `at` packets into the span.
  BS_DEVICE void multiply(const Ahead& now, int i, const Rows& rows, int at) {
    BS_UNROLL
    for (int piece = 0; piece < kPieces; ++piece) {
      Sums sums = {};
      BS_UNROLL
      for (int b = 0; b < kThirtyTwos; ++b) {
        const int thirty_two = piece * kThirtyTwos + b;
        Pairs x[kShape.across][kParts];
        BS_UNROLL
        for (int c = 0; c < kShape.across; ++c) {
          BS_UNROLL
          for (int q = 0; q < kParts; ++q) x[c][q] = rows.pairs(c * 8 + M::thread() % 32 / 4, q, at * (kInputs / 32) + thirty_two);
        }
        BS_UNROLL
        for (int half = 0; half < 2; ++half) add_products(sums, now.codes[i], thirty_two * 2 + half, x, half * 2);
      }
      BS_UNROLL
      for (int r = 0; r < kShape.down; ++r) add(r, sums, now.scales[i][r][piece]);
    }
  }

  /// Of codes and x, and (int4) of x alone.
  struct Sums {
    float of_codes[kShape.down][kShape.across][4], of_x[kShape.across][4];
  };
  /// Of 16 inputs: those of step `step` of the packets, words `word` and the next one of x.
  BS_DEVICE static void add_products(Sums& sums, const typename M::Words (&codes)[kShape.down], int step, const Pairs (&x)[kShape.across][kParts], int word) {
    BS_UNROLL
    for (int r = 0; r < kShape.down; ++r) {
      std::uint32_t pairs[4];
      unpack<M, Element, kBits>(pairs, codes[r].word, step);
      BS_UNROLL
      for (int c = 0; c < kShape.across; ++c) add_parts(sums.of_codes[r][c], pairs, x[c], word);
    }
    if constexpr (kBits == 4) {
      constexpr std::uint32_t kOne = TwoOf<Element>::kOne;
      const std::uint32_t ones[4] = {kOne, kOne, kOne, kOne};
      BS_UNROLL
      for (int c = 0; c < kShape.across; ++c) add_parts(sums.of_x[c], ones, x[c], word);
    }
  }
  BS_DEVICE static void add_parts(float (&sum)[4], const std::uint32_t (&pairs)[4], const Pairs (&x)[kParts], int word) {
    BS_UNROLL
    for (int q = 0; q < kParts; ++q) M::template multiply_add<Element>(sum, pairs, x[q].word[word], x[q].word[word + 1]);
  }

  BS_DEVICE void add(int r, const Sums& sums, const Scales& scales) {
    BS_UNROLL
    for (int c = 0; c < kShape.across; ++c) {
      BS_UNROLL
      for (int j = 0; j < 4; ++j) {
        if constexpr (kBits == 4)
          total_[r][c][j] += cuda::value<M>(scales.of[j / 2 * 2]) * sums.of_codes[r][c][j] + cuda::value<M>(scales.of[j / 2 * 2 + 1]) * sums.of_x[c][j];
        else
          total_[r][c][j] += sums.of_codes[r][c][j];
      }
    }
  }

  /// Sum (warp, row of x, output) in shared memory.
  BS_DEVICE static float* sum_at(int warp, int row, int column) { return M::shared_floats() + (warp * kRows + row) * kPitch + column; }
  BS_DEVICE void leave_sums() const {
    const int g = M::thread() % 32 / 4, t = M::thread() % 4;
    BS_UNROLL
    for (int r = 0; r < kShape.down; ++r) {
      BS_UNROLL
      for (int c = 0; c < kShape.across; ++c) {
        BS_UNROLL
        for (int j = 0; j < 4; ++j) *sum_at(M::thread() / 32, c * 8 + t * 2 + j % 2, r * kPacketRows + g + j / 2 * 8) = total_[r][c][j];
      }
    }
  }

  /// Calls with_sum(place in (M, N), sum of the warps', output) for each output that the thread is to finish.
  template <class F>
  BS_DEVICE void for_each_output(F&& with_sum) const {
    for (int i = M::thread(); i < rows_ * kColumns; i += kThreads) {
      const int row = i / kColumns, column = i % kColumns;
      if (column0_ + column >= job_.n) continue;
      with_sum(static_cast<std::int64_t>(row0_ + row) * job_.n + column0_ + column, row, column);
    }
  }
  BS_DEVICE static float sum_of_warps(int row, int column) {
    float sum = 0.0F;
    BS_UNROLL
    for (int warp = 0; warp < kWarps; ++warp) sum += *sum_at(warp, row, column);
    return sum;
  }
  BS_DEVICE void store(std::int64_t at, float sum, int column) const {
    static_cast<T*>(job_.y)[at] = M::template round<T>(job_.finish.template value<M, T>(sum, column0_ + column));
  }
  BS_DEVICE void finish() const {
    for_each_output([&](std::int64_t at, int row, int column) { store(at, sum_of_warps(row, column), column); });
  }

  /// Leaves the sums of this split; the last block of the tile to do so adds those of all splits up, in their order.
  BS_DEVICE void meet() const {
    const std::int64_t step = static_cast<std::int64_t>(job_.m) * job_.n;
    for_each_output([&](std::int64_t at, int row, int column) { job_.parts[split_ * step + at] = sum_of_warps(row, column); });
    M::sync();
    if (M::thread() == 0) *M::shared_floats() = M::last_to_arrive(job_.arrived + tile_, job_.splits) ? 1.0F : 0.0F;
    M::sync();
    if (*M::shared_floats() == 0.0F) return;
    for_each_output([&](std::int64_t at, int, int column) {
      float sum = 0.0F;
      for (int split = 0; split < job_.splits; ++split) sum += job_.parts[split * step + at];
      store(at, sum, column);
    });
  }

  SkinnyJob job_;
  int tile_, split_, column0_, row0_, first_, end_, rows_;
  float total_[kShape.down][kShape.across][4] = {};
};

}  // namespace bench::linear
