// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_rows.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/isa.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/row_output.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {
namespace {

/// One row: state <- a * state + b.
template <class V, class T>
BS_INLINE void step(const T* a, const T* b, StateOf<T>* state, std::int64_t channels) {
  std::int64_t c = 0;
  if constexpr (!std::is_same_v<T, double>) {
    for (; c + simd::kWidth<V> <= channels; c += simd::kWidth<V>)
      simd::store<V>(state + c, simd::load<V>(a + c) * simd::load<V>(state + c) + simd::load<V>(b + c));
  }
#pragma omp simd
  for (std::int64_t i = c; i < channels; ++i) state[i] = load(a[i]) * state[i] + load(b[i]);
}

/// As step, and the row goes past the caches as it is made.
template <class V>
BS_INLINE void step_streaming(const float* a, const float* b, float* state, float* h, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; c += simd::kWidth<V>) {
    const V next = simd::load<V>(a + c) * simd::load<V>(state + c) + simd::load<V>(b + c);
    simd::store<V>(state + c, next);
    stream_vector<V>(h + c, next);
  }
}

/// As step, and product <- product * a.
template <class V, class T>
BS_INLINE void step_carry(const T* a, const T* b, StateOf<T>* product, StateOf<T>* state,
                          std::int64_t channels) {
  std::int64_t c = 0;
  if constexpr (!std::is_same_v<T, double>) {
    for (; c + simd::kWidth<V> <= channels; c += simd::kWidth<V>) {
      const V decay = simd::load<V>(a + c);
      simd::store<V>(state + c, decay * simd::load<V>(state + c) + simd::load<V>(b + c));
      simd::store<V>(product + c, decay * simd::load<V>(product + c));
    }
  }
#pragma omp simd
  for (std::int64_t i = c; i < channels; ++i) {
    state[i] = load(a[i]) * state[i] + load(b[i]);
    product[i] *= load(a[i]);
  }
}

template <class V, class T>
BS_INLINE void scan_strip(const RowBlock& block, StateOf<T>* state) {
  const auto* a = reinterpret_cast<const T*>(block.a);
  const auto* b = reinterpret_cast<const T*>(block.b);
  auto* h = reinterpret_cast<T*>(block.h);
  alignas(64) T rounded[kRowStrip];
  const std::int64_t row_bytes = block.channels * static_cast<std::int64_t>(sizeof(T));
  if constexpr (std::is_same_v<T, float>) {
    if (block.streams && rows_on_vectors<V>(h, block.stride, block.channels)) {
      for (std::int64_t t = 0; t < block.rows; ++t)
        step_streaming<V>(a + t * block.stride, b + t * block.stride, state, h + t * block.stride,
                          block.channels);
      return;
    }
  }
  for (std::int64_t t = 0; t < block.rows; ++t, a += block.stride, b += block.stride, h += block.stride) {
    step<V, T>(a, b, state, block.channels);
    if (!block.streams) {
      round_row<V, T>(state, h, block.channels);
    } else if constexpr (std::is_same_v<T, StateOf<T>>) {
      stream_row<V>(state, h, row_bytes);
    } else {
      round_row<V, T>(state, rounded, block.channels);
      stream_row<V>(rounded, h, row_bytes);
    }
  }
}

template <class V, class T>
BS_INLINE void carry_strip(const RowBlock& block, StateOf<T>* product, StateOf<T>* state) {
  const auto* a = reinterpret_cast<const T*>(block.a);
  const auto* b = reinterpret_cast<const T*>(block.b);
  for (std::int64_t t = 0; t < block.rows; ++t, a += block.stride, b += block.stride)
    step_carry<V, T>(a, b, product, state, block.channels);
}

/// With a product the carries, without one the scan.
template <class V, class T>
BS_INLINE void run_strip(const RowBlock& block, std::byte* product, std::byte* state) {
  auto* h = reinterpret_cast<StateOf<T>*>(state);
  if (product != nullptr) return carry_strip<V, T>(block, reinterpret_cast<StateOf<T>*>(product), h);
  scan_strip<V, T>(block, h);
}

template <class T>
BS_TARGET_AVX512 void run_avx512(const RowBlock& block, std::byte* product, std::byte* state) {
  run_strip<simd::F32x16, T>(block, product, state);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
BS_TARGET_AVX2 void run_avx2(const RowBlock& block, std::byte* product, std::byte* state) {
  run_strip<simd::F32x8, T>(block, product, state);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
void run_plain(const RowBlock& block, std::byte* product, std::byte* state) {
  run_strip<simd::F32x4, T>(block, product, state);
}

/// Of a row of states.
std::size_t row_bytes(const RowBlock& block) {
  return static_cast<std::size_t>(block.channels * size_of(state_dtype(block.dtype)));
}

/// All strips of the block, by the widest instruction set of this machine.
void run_block(const RowBlock& block, std::byte* product, std::byte* state) {
  const FlushDenormals flush;
  const std::int64_t state_bytes = size_of(state_dtype(block.dtype));
  const Isa isa = best_isa();
  dispatch(block.dtype, [&]<class T>() {
    const auto run = isa == Isa::avx512 ? run_avx512<T> : isa == Isa::avx2 ? run_avx2<T> : run_plain<T>;
    for (std::int64_t c = 0; c < block.channels; c += kRowStrip) {
      const std::int64_t end = std::min(c + kRowStrip, block.channels);
      run(block.slice_channels(c, end), product != nullptr ? product + c * state_bytes : nullptr,
          state + c * state_bytes);
    }
  });
  if (block.streams) end_streams();
}

}  // namespace

RowBlock RowBlock::slice_rows(std::int64_t begin, std::int64_t end) const {
  RowBlock slice = *this;
  const std::int64_t offset = begin * stride * size_of(dtype);
  slice.a += offset;
  slice.b += offset;
  slice.h += offset;
  slice.segments = segments.from(begin);
  slice.rows = end - begin;
  return slice;
}

RowBlock RowBlock::slice_channels(std::int64_t begin, std::int64_t end) const {
  RowBlock slice = *this;
  const std::int64_t offset = begin * size_of(dtype);
  slice.a += offset;
  slice.b += offset;
  slice.h += offset;
  slice.channels = end - begin;
  return slice;
}

bool streams_pay(DType dtype, std::int64_t rows, std::int64_t channels) {
  constexpr std::int64_t kCacheBytes = std::int64_t{4}
                                       << 20;  // a private cache and a share of the last level
  const std::int64_t row_bytes = channels * size_of(dtype);
  return row_bytes % kStreamBytes == 0 && rows * row_bytes > kCacheBytes;
}

void scan_rows(const RowBlock& block, std::byte* state) {
  for (Range rows{}; rows.end < block.rows;) {
    rows = block.segments.piece_at(rows.end, block.rows, block.rows);
    if (block.segments.start_at(rows.begin)) std::memset(state, 0, row_bytes(block));
    run_block(block.slice_rows(rows.begin, rows.end), nullptr, state);
  }
}

void carry_rows(const RowBlock& block, std::byte* product, std::byte* state) {
  const std::int64_t start = block.segments.last_start({0, block.rows});
  if (start < 0) return run_block(block, product, state);
  std::memset(product, 0, row_bytes(block));
  std::memset(state, 0, row_bytes(block));
  run_block(block.slice_rows(start, block.rows), product, state);
}

}  // namespace bench::scan
