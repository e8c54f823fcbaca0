// SPDX-License-Identifier: Apache-2.0
#include "jobs/memory_rates.hpp"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "kernels/isa.hpp"
#include "kernels/simd_math.hpp"
#include "src/core/tensor.hpp"

namespace bench::jobs {
namespace {

constexpr std::int64_t kTraffic = std::int64_t{256} << 20;  // bytes moved per timing: some 10 ms

// a[i] = b[i] + s c[i], `rounds` times over; 24 bytes an element. Non-temporal stores save the read of a's lines once they leave the caches.
[[gnu::target_clones("avx512f", "avx2", "default")]] void triad_cached(double* a, const double* b, const double* c, std::int64_t n, std::int64_t rounds) {
  for (std::int64_t r = 0; r < rounds; ++r) {
    for (std::int64_t i = 0; i < n; ++i) a[i] = b[i] + 0.5 * c[i];
    asm volatile("" : : "r"(a) : "memory");
  }
}

void triad_streamed(double* a, const double* b, const double* c, std::int64_t n, std::int64_t rounds) {
  const __m128d s = _mm_set1_pd(0.5);
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i + 2 <= n; i += 2) _mm_stream_pd(a + i, _mm_add_pd(_mm_load_pd(b + i), _mm_mul_pd(s, _mm_load_pd(c + i))));
  _mm_sfence();
}

// Stores of a whole line: on some cores 8 to 30 % more than SSE2's.
[[gnu::target("avx512f")]] void triad_streamed_avx512(double* a, const double* b, const double* c, std::int64_t n, std::int64_t rounds) {
  const __m512d s = _mm512_set1_pd(0.5);
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i < n; i += 8) _mm512_stream_pd(a + i, _mm512_add_pd(_mm512_load_pd(b + i), _mm512_mul_pd(s, _mm512_load_pd(c + i))));
  _mm_sfence();
}

// Adds up n floats, `rounds` times over, from kStreams places at once: a prefetcher that follows one stream does not fill the memory's queues on every
// processor. Eight sums, as the loads of one line must not wait for those of another.
template <class V, int kStreams>
[[gnu::always_inline]] inline void read_rounds(const float* a, std::int64_t n, std::int64_t rounds) {
  constexpr int kStep = 8 / kStreams * simd::kWidth<V>;
  const std::int64_t stream = n / kStreams;
  V s[8] = {};
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i + kStep <= stream; i += kStep)
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k) s[k] += simd::load<V>(a + k % kStreams * stream + i + k / kStreams * simd::kWidth<V>);
  for (int k = 1; k < 8; ++k) s[0] += s[k];
  asm volatile("" : "+m"(s[0]) : : "memory");  // the sums must happen
}

template <int kStreams>
BS_TARGET_AVX512 void read_avx512(const float* a, std::int64_t n, std::int64_t rounds) {
  read_rounds<simd::F32x16, kStreams>(a, n, rounds);
  BS_LEAVE_WIDE_VECTORS();
}
template <int kStreams>
BS_TARGET_AVX2 void read_avx2(const float* a, std::int64_t n, std::int64_t rounds) {
  read_rounds<simd::F32x8, kStreams>(a, n, rounds);
  BS_LEAVE_WIDE_VECTORS();
}
template <int kStreams>
void read_plain(const float* a, std::int64_t n, std::int64_t rounds) {
  read_rounds<simd::F32x4, kStreams>(a, n, rounds);
}

using Read = void (*)(const float*, std::int64_t, std::int64_t);
template <int kStreams>
Read read_of(Isa isa) {
  return isa == Isa::avx512 ? read_avx512<kStreams> : isa == Isa::avx2 ? read_avx2<kStreams> : read_plain<kStreams>;
}

void copy_cached(double* a, const double* b, const double*, std::int64_t n, std::int64_t rounds) {
  for (std::int64_t r = 0; r < rounds; ++r) {
    std::memcpy(a, b, sizeof(double) * static_cast<std::size_t>(n));
    asm volatile("" : : "r"(a) : "memory");
  }
}

void copy_streamed(double* a, const double* b, const double*, std::int64_t n, std::int64_t rounds) {
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i + 2 <= n; i += 2) _mm_stream_pd(a + i, _mm_load_pd(b + i));
  _mm_sfence();
}

[[gnu::target("avx512f")]] void copy_streamed_avx512(double* a, const double* b, const double*, std::int64_t n, std::int64_t rounds) {
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i < n; i += 8) _mm512_stream_pd(a + i, _mm512_load_pd(b + i));
  _mm_sfence();
}

using Stream = void (*)(double*, const double*, const double*, std::int64_t, std::int64_t);

/// The best rate of some loops that move so many bytes each: three timings of a loop, one of a loop that is far behind.
template <class Loop, class Run>
double best_of(const Clock& clock, double bytes, std::initializer_list<Loop> loops, Run&& run) {
  constexpr double kFarBehind = 0.6;  // repeats of one loop differ by less, even beside busy neighbours
  double best = 0.0;
  for (const Loop loop : loops)
    for (int repeat = 0; repeat < 3; ++repeat) {
      const double begin = clock();
      run(loop);
      const double rate = bytes / (clock() - begin);
      best = std::max(best, rate);
      if (rate < kFarBehind * best) break;
    }
  return best;
}

/// The best of some loops over `arrays` arrays of `bytes` in all.
double stream_rate(const Clock& clock, std::int64_t bytes, std::int64_t arrays, std::initializer_list<Stream> loops) {
  const std::int64_t n = bytes / (8 * arrays) / 8 * 8;
  Tensor memory(DType::f64, {arrays * n});
  double* const a = memory.as<double>();
  std::fill(a, a + arrays * n, 1.0);
  const std::int64_t rounds = std::max<std::int64_t>(1, kTraffic / bytes);
  const double moved = static_cast<double>(8 * arrays * n) * static_cast<double>(rounds);
  return best_of(clock, moved, loops, [&](Stream loop) { loop(a, a + n, a + (arrays - 1) * n, n, rounds); });
}

}  // namespace

double read_rate(const Clock& clock, std::int64_t bytes) {
  const std::int64_t n = bytes / 4096 * 1024;  // whole rounds of the widest loop, and streams that begin on a line
  Tensor memory(DType::f32, {n});
  std::fill_n(memory.as<float>(), n, 1.0F);
  const std::int64_t rounds = std::max<std::int64_t>(1, kTraffic / bytes);
  const double moved = 4.0 * static_cast<double>(n) * static_cast<double>(rounds);
  return best_of(clock, moved, {read_of<1>(best_isa()), read_of<4>(best_isa())}, [&](Read read) { read(memory.as<float>(), n, rounds); });
}

double triad_rate(const Clock& clock, std::int64_t bytes) {
  return stream_rate(clock, bytes, 3, {triad_cached, triad_streamed, has_isa(Isa::avx512) ? triad_streamed_avx512 : triad_streamed});
}

double copy_rate(const Clock& clock, std::int64_t bytes) {
  return stream_rate(clock, bytes, 2, {copy_cached, copy_streamed, has_isa(Isa::avx512) ? copy_streamed_avx512 : copy_streamed});
}

}  // namespace bench::jobs
