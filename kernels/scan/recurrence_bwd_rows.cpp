// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_bwd_rows.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/isa.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/row_output.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {
namespace {

/// One row; H is the type of `h`, the state before this step, which for a first row is the state's own type.
template <class V, class T, class H>
BS_INLINE void step_back(const T* a, const T* g, const H* h, StateOf<T>* state, T* da, T* db,
                         std::int64_t channels) {
  std::int64_t c = 0;
  if constexpr (!std::is_same_v<T, double>) {
    for (; c + simd::kWidth<V> <= channels; c += simd::kWidth<V>) {
      const V r = simd::load<V>(g + c) + simd::load<V>(state + c);
      simd::store<V>(db + c, r);
      simd::store<V>(da + c, r * simd::load<V>(h + c));
      simd::store<V>(state + c, simd::load<V>(a + c) * r);
    }
  }
  for (std::int64_t i = c; i < channels; ++i) {
    const StateOf<T> r = load(g[i]) + state[i];
    db[i] = store<T>(r);
    da[i] = store<T>(r * load(h[i]));
    state[i] = load(a[i]) * r;
  }
}

template <class V, class T>
BS_INLINE void step_carry_back(const T* a, const T* g, StateOf<T>* product, StateOf<T>* state,
                               std::int64_t channels) {
  std::int64_t c = 0;
  if constexpr (!std::is_same_v<T, double>) {
    for (; c + simd::kWidth<V> <= channels; c += simd::kWidth<V>) {
      const V decay = simd::load<V>(a + c);
      simd::store<V>(state + c, decay * (simd::load<V>(g + c) + simd::load<V>(state + c)));
      simd::store<V>(product + c, decay * simd::load<V>(product + c));
    }
  }
  for (std::int64_t i = c; i < channels; ++i) {
    state[i] = load(a[i]) * (load(g[i]) + state[i]);
    product[i] *= load(a[i]);
  }
}

/// A row of states before a sequence.
template <class S>
alignas(64) constexpr S kZeros[kBackStrip] = {};

template <class V, class T>
BS_INLINE void scan_strip_back(const BackRowBlock& block, StateOf<T>* state) {
  alignas(64) T da_row[kBackStrip];
  alignas(64) T db_row[kBackStrip];
  const std::int64_t row_bytes = block.channels * static_cast<std::int64_t>(sizeof(T));
  const auto* first = block.from_zero ? kZeros<StateOf<T>> : reinterpret_cast<const StateOf<T>*>(block.h_before);
  for (std::int64_t t = block.rows - 1; t >= 0; --t) {
    const std::int64_t at = t * block.stride;
    const T* a = reinterpret_cast<const T*>(block.a) + at;
    const T* g = reinterpret_cast<const T*>(block.g) + at;
    T* da = reinterpret_cast<T*>(block.da) + at;
    T* db = reinterpret_cast<T*>(block.db) + at;
    T* da_to = block.streams ? da_row : da;
    T* db_to = block.streams ? db_row : db;
    if (t == 0 && first != nullptr)
      step_back<V, T>(a, g, first, state, da_to, db_to, block.channels);
    else
      step_back<V, T>(a, g, reinterpret_cast<const T*>(block.h) + at - block.stride, state, da_to, db_to,
                      block.channels);
    if (!block.streams) continue;
    stream_row<V>(da_row, da, row_bytes);
    stream_row<V>(db_row, db, row_bytes);
  }
}

/// With a product the carries, without one the scan.
template <class V, class T>
BS_INLINE void run_strip(const BackRowBlock& block, std::byte* product_bytes, std::byte* state_bytes) {
  auto* state = reinterpret_cast<StateOf<T>*>(state_bytes);
  if (product_bytes == nullptr) return scan_strip_back<V, T>(block, state);
  auto* product = reinterpret_cast<StateOf<T>*>(product_bytes);
  for (std::int64_t t = block.rows - 1; t >= 0; --t)
    step_carry_back<V, T>(reinterpret_cast<const T*>(block.a) + t * block.stride,
                          reinterpret_cast<const T*>(block.g) + t * block.stride, product, state,
                          block.channels);
}

template <class T>
BS_TARGET_AVX512 void run_avx512(const BackRowBlock& block, std::byte* product, std::byte* state) {
  run_strip<simd::F32x16, T>(block, product, state);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
BS_TARGET_AVX2 void run_avx2(const BackRowBlock& block, std::byte* product, std::byte* state) {
  run_strip<simd::F32x8, T>(block, product, state);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
void run_plain(const BackRowBlock& block, std::byte* product, std::byte* state) {
  run_strip<simd::F32x4, T>(block, product, state);
}

/// Of a row of states.
std::size_t row_bytes(const BackRowBlock& block) {
  return static_cast<std::size_t>(block.channels * size_of(state_dtype(block.dtype)));
}

/// All strips of the block, by the widest instruction set of this machine.
void run_block(const BackRowBlock& block, std::byte* product, std::byte* state) {
  const FlushDenormals flush;
  const std::int64_t state_bytes = size_of(state_dtype(block.dtype));
  const Isa isa = best_isa();
  dispatch(block.dtype, [&]<class T>() {
    const auto run = isa == Isa::avx512 ? run_avx512<T> : isa == Isa::avx2 ? run_avx2<T> : run_plain<T>;
    for (std::int64_t c = 0; c < block.channels; c += kBackStrip) {
      const std::int64_t end = std::min(c + kBackStrip, block.channels);
      run(block.slice_channels(c, end), product != nullptr ? product + c * state_bytes : nullptr,
          state + c * state_bytes);
    }
  });
  if (block.streams) end_streams();
}

}  // namespace

BackRowBlock BackRowBlock::slice_rows(std::int64_t begin, std::int64_t end) const {
  BackRowBlock slice = *this;
  const std::int64_t offset = begin * stride * size_of(dtype);
  slice.a += offset;
  slice.g += offset;
  slice.h += offset;
  slice.da += offset;
  slice.db += offset;
  slice.rows = end - begin;
  slice.segments = segments.from(begin);
  if (begin > 0) slice.h_before = nullptr;
  return slice;
}

BackRowBlock BackRowBlock::slice_channels(std::int64_t begin, std::int64_t end) const {
  BackRowBlock slice = *this;
  const std::int64_t offset = begin * size_of(dtype);
  slice.a += offset;
  slice.g += offset;
  slice.h += offset;
  slice.da += offset;
  slice.db += offset;
  slice.channels = end - begin;
  if (h_before != nullptr) slice.h_before += begin * size_of(state_dtype(dtype));
  return slice;
}

void scan_rows_back(const BackRowBlock& block, std::byte* state) {
  for (std::int64_t end = block.rows; end > 0;) {
    const Range rows = block.segments.piece_before(end, block.rows);
    BackRowBlock sequence = block.slice_rows(rows.begin, rows.end);
    sequence.from_zero = block.segments.start_at(rows.begin);
    run_block(sequence, nullptr, state);
    if (sequence.from_zero) std::memset(state, 0, row_bytes(block));
    end = rows.begin;
  }
}

void carry_rows_back(const BackRowBlock& block, std::byte* product, std::byte* state) {
  const std::int64_t start = block.segments.first_start({0, block.rows});
  if (start == block.rows) return run_block(block, product, state);
  std::memset(product, 0, row_bytes(block));
  std::memset(state, 0, row_bytes(block));
  run_block(block.slice_rows(0, start), product, state);
}

}  // namespace bench::scan
