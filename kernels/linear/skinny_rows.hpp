// SPDX-License-Identifier: Apache-2.0
// Rows of x on their way to the tensor cores of a block that streams weights (skinny_body.hpp): read once, normalised, cut into 16-bit parts, and left in shared memory
// in the order in which a lane needs them.
//
// A block has kRows rows at most and a span of K. Of 32 inputs, lane t mod 4 of a warp takes pairs 2 t, 2 t + 1 of each eight: operand b of two mma.m16n8k16. These four
// pairs lie side by side, 16 bytes. Rows are so far apart that the eight lanes that shared memory serves at a time, two rows, meet in no bank.
//
// Parts: a 16-bit x is one number, rounded again where it is normalised, as by a norm that stands alone. An fp32 x is three bf16 numbers whose sum it is, 24 bits of
// mantissa cut into eight each: products with codes are then exact, and what remains is the rounding of sums. (Below 2^-110 the last of them is lost.)
//
// The norm's mean and variance are taken of the whole row by one to eight warps (row_norm.hpp). It is not folded into the product, rstd (x w^T - mean sum(w)): where a row's mean is large against its deviation that takes a small difference of large sums.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/linear/row_norm.hpp"
#include "kernels/linear/skinny_job.hpp"

namespace bench::linear {

template <class M, class T, int kRows>
class SkinnyRows {
 public:
  static constexpr int kWarps = kSkinnyWarps, kThreads = kWarps * 32;
  static constexpr int kParts = std::is_same_v<T, float> ? 3 : 1;
  using Element = std::conditional_t<std::is_same_v<T, float>, Bf16, T>;  // of a part

  /// Words from row to row for a span of so many inputs, a multiple of 32.
  static BS_HOST_DEVICE int pitch(int span) { return (span / 2 + 31) / 32 * 32 + 16; }
  static BS_HOST_DEVICE int bytes(int rows, int span) { return (kParts * pitch(span) + kWarps * NormedRow<M, T>::kMomentFloats) * rows * 4; }

  /// Rows row0 .. row0 + rows - 1 of x, inputs k0 .. k0 + span - 1.
  BS_DEVICE SkinnyRows(const SkinnyJob& job, int row0, int rows, int k0, int span)
      : x_(static_cast<const T*>(job.x) + static_cast<std::int64_t>(row0) * job.k),
        k_(job.k),
        rows_(rows),
        k0_(k0),
        span_(span),
        norm_(job.norm),
        words_(reinterpret_cast<std::uint32_t*>(M::shared_floats())),
        moments_(M::shared_floats() + kParts * rows * pitch(span)) {}

  /// By all threads; ends with a sync().
  BS_DEVICE void fetch() {
    if (norm_ == Norm::layer) {
      take_moments();
      M::sync();
    }
    const int eights = span_ / 8;
    for (int i = M::thread(); i < rows_ * eights; i += kThreads) place(i / eights, i % eights);
    M::sync();
  }

  /// The lane's pairs of inputs 32 b .. 32 b + 31 of the span in part q of a row; zeros behind the last row.
  struct alignas(16) Pairs {
    std::uint32_t word[4];
  };
  BS_DEVICE Pairs pairs(int row, int q, int b) const {
    Pairs got = {};
    if (row < rows_) got = *reinterpret_cast<const Pairs*>(words_ + place_of(row, q) + b * 16 + M::thread() % 4 * 4);
    return got;
  }

 private:
  BS_DEVICE int place_of(int row, int q) const { return (q * rows_ + row) * pitch(span_); }

  BS_DEVICE NormedRow<M, T> row_at(int row) const { return {x_ + static_cast<std::int64_t>(row) * k_, k_}; }

  /// So many warps share a row.
  BS_DEVICE int sharers() const { return rows_ == 1 ? kWarps : rows_ == 2 ? kWarps / 2 : rows_ <= 4 ? kWarps / 4 : 1; }

  BS_DEVICE float* moments_of(int row) const { return moments_ + row * kWarps * NormedRow<M, T>::kMomentFloats; }

  BS_DEVICE void take_moments() const {
    const int each = sharers(), warp = M::thread() / 32, share = warp % each;
    for (int row = warp / each; row < rows_; row += kWarps / each)
      row_at(row).leave_moments(moments_of(row) + share * NormedRow<M, T>::kMomentFloats, (share * 32 + M::thread() % 32) * 8, each * 32 * 8);
  }

  /// The j-th eight of the span, into all parts.
  BS_DEVICE void place(int row, int j) const {
    const int k = k0_ + j * 8;
    const NormedRow<M, T> from = row_at(row);
    typename NormedRow<M, T>::Scaling by;
    if (norm_ == Norm::layer) by = from.scaling(moments_of(row), sharers());
    float x[8];
    from.read_scaled(x, k, by);
    BS_UNROLL
    for (int q = 0; q < kParts; ++q) {
      BS_UNROLL
      for (int t = 0; t < 4; ++t) words_[place_of(row, q) + j / 4 * 16 + t * 4 + j % 4] = next_part(x[2 * t], x[2 * t + 1]);
    }
  }
  /// The leading part of both, which is taken off.
  BS_DEVICE static std::uint32_t next_part(float& low, float& high) {
    if constexpr (kParts == 1) return M::template pack<T>(low, high);
    const std::uint32_t two[2] = {M::word_of(low) & 0xffff0000U, M::word_of(high) & 0xffff0000U};
    low -= M::number(two[0]);
    high -= M::number(two[1]);
    return two[0] >> 16 | two[1];
  }

  const T* x_;
  int k_, rows_, k0_, span_;
  Norm norm_;
  std::uint32_t* words_;
  float* moments_;
};

}  // namespace bench::linear
