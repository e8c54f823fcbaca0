// SPDX-License-Identifier: Apache-2.0
#include "jobs/roofline.hpp"

#include <immintrin.h>

#include <algorithm>

#include "jobs/link_rates.hpp"
#include "jobs/team.hpp"
#include "kernels/isa.hpp"
#include "kernels/simd_math.hpp"
#include "src/core/tensor.hpp"

namespace bench::jobs {
namespace {

constexpr int kChains = 12;           // two ports x four to five cycles of latency need 8 to 10
constexpr double kLoop_s = 0.01;      // long enough for the clock, short enough to be repeated
constexpr int kRepeats = 5;
constexpr std::int64_t kTriadTraffic = std::int64_t{256} << 20;  // bytes moved per timing: some 10 ms

/// Keeps a value alive and unknown to the optimiser.
template <class T>
void touch(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

// Runs `rounds` rounds of kChains independent multiply-adds and returns the FLOPs it did. The chains are named one by one because g++ 12
// keeps an array of them in memory, and then measures the store port.
template <class Vector, class Scalar>
[[gnu::always_inline]] inline double fma_rounds(std::int64_t rounds, Scalar a, Scalar b) {
  const Vector m = Vector{} + a, c = Vector{} + b;
  Vector x0{}, x1{}, x2{}, x3{}, x4{}, x5{}, x6{}, x7{}, x8{}, x9{}, x10{}, x11{};
  for (std::int64_t r = 0; r < rounds; ++r) {
    x0 = x0 * m + c, x1 = x1 * m + c, x2 = x2 * m + c, x3 = x3 * m + c;
    x4 = x4 * m + c, x5 = x5 * m + c, x6 = x6 * m + c, x7 = x7 * m + c;
    x8 = x8 * m + c, x9 = x9 * m + c, x10 = x10 * m + c, x11 = x11 * m + c;
    asm volatile("" : "+v"(x0), "+v"(x1), "+v"(x2), "+v"(x3), "+v"(x4), "+v"(x5));  // the rounds must all happen
    asm volatile("" : "+v"(x6), "+v"(x7), "+v"(x8), "+v"(x9), "+v"(x10), "+v"(x11));
  }
  Vector all = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;
  touch(all);
  return static_cast<double>(rounds) * kChains * 2.0 * static_cast<double>(sizeof(Vector) / sizeof(Scalar));
}

using F16x = float __attribute__((vector_size(64)));
using F8x = float __attribute__((vector_size(32)));
using D8x = double __attribute__((vector_size(64)));
using D4x = double __attribute__((vector_size(32)));
using F4x = float __attribute__((vector_size(16)));
using D2x = double __attribute__((vector_size(16)));

[[gnu::target("avx512f,fma")]] double fp32_avx512(std::int64_t rounds) { return fma_rounds<F16x>(rounds, 0.999F, 0.001F); }
[[gnu::target("avx512f,fma")]] double fp64_avx512(std::int64_t rounds) { return fma_rounds<D8x>(rounds, 0.999, 0.001); }
[[gnu::target("avx2,fma")]] double fp32_avx2(std::int64_t rounds) { return fma_rounds<F8x>(rounds, 0.999F, 0.001F); }
[[gnu::target("avx2,fma")]] double fp64_avx2(std::int64_t rounds) { return fma_rounds<D4x>(rounds, 0.999, 0.001); }
double fp32_plain(std::int64_t rounds) { return fma_rounds<F4x>(rounds, 0.999F, 0.001F); }
double fp64_plain(std::int64_t rounds) { return fma_rounds<D2x>(rounds, 0.999, 0.001); }

[[gnu::target("avx512f,avx512bf16")]] double bf16_dot(std::int64_t rounds) {
  const auto h = (__m512bh)_mm512_set1_epi16(0x3f00);  // 0.5 in every lane
  __m512 x0{}, x1{}, x2{}, x3{}, x4{}, x5{}, x6{}, x7{}, x8{}, x9{}, x10{}, x11{};
  for (std::int64_t r = 0; r < rounds; ++r) {
    x0 = _mm512_dpbf16_ps(x0, h, h), x1 = _mm512_dpbf16_ps(x1, h, h), x2 = _mm512_dpbf16_ps(x2, h, h);
    x3 = _mm512_dpbf16_ps(x3, h, h), x4 = _mm512_dpbf16_ps(x4, h, h), x5 = _mm512_dpbf16_ps(x5, h, h);
    x6 = _mm512_dpbf16_ps(x6, h, h), x7 = _mm512_dpbf16_ps(x7, h, h), x8 = _mm512_dpbf16_ps(x8, h, h);
    x9 = _mm512_dpbf16_ps(x9, h, h), x10 = _mm512_dpbf16_ps(x10, h, h), x11 = _mm512_dpbf16_ps(x11, h, h);
    asm volatile("" : "+v"(x0), "+v"(x1), "+v"(x2), "+v"(x3), "+v"(x4), "+v"(x5));
    asm volatile("" : "+v"(x6), "+v"(x7), "+v"(x8), "+v"(x9), "+v"(x10), "+v"(x11));
  }
  F16x all = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;
  touch(all);
  return static_cast<double>(rounds) * kChains * 64.0;  // 32 multiplies and 32 adds
}

/// Best rate of `work(rounds) -> amount` in amount per second.
template <class Work>
double best_rate(const Clock& clock, Work&& work) {
  std::int64_t rounds = 1024;
  double best = 0.0;
  for (int repeat = 0; repeat < kRepeats;) {
    const double begin = clock();
    const double amount = work(rounds);
    const double spent = clock() - begin;
    if (spent < kLoop_s) {
      rounds *= 2;
      continue;
    }
    best = std::max(best, amount / spent);
    ++repeat;
  }
  return best;
}

// Eight independent exponentials a round, by the polynomial that the kernels use.
template <class V>
[[gnu::always_inline]] inline double exp_rounds(std::int64_t rounds) {
  V x0 = V{} - 0.1F, x1 = V{} - 0.2F, x2 = V{} - 0.3F, x3 = V{} - 0.4F, x4 = V{} - 0.5F, x5 = V{} - 0.6F, x6 = V{} - 0.7F, x7 = V{} - 0.8F;
  for (std::int64_t r = 0; r < rounds; ++r) {  // exp2 minus 1.5 maps [-1, 1/2] into itself
    x0 = simd::exp2_in_range<V>(x0) - 1.5F, x1 = simd::exp2_in_range<V>(x1) - 1.5F;
    x2 = simd::exp2_in_range<V>(x2) - 1.5F, x3 = simd::exp2_in_range<V>(x3) - 1.5F;
    x4 = simd::exp2_in_range<V>(x4) - 1.5F, x5 = simd::exp2_in_range<V>(x5) - 1.5F;
    x6 = simd::exp2_in_range<V>(x6) - 1.5F, x7 = simd::exp2_in_range<V>(x7) - 1.5F;
  }
  V all = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7;
  touch(all);
  return static_cast<double>(rounds) * 8.0 * static_cast<double>(simd::kWidth<V>);
}

BS_TARGET_AVX512 double exp_avx512(std::int64_t rounds) {
  const double count = exp_rounds<simd::F32x16>(rounds);
  BS_LEAVE_WIDE_VECTORS();
  return count;
}
BS_TARGET_AVX2 double exp_avx2(std::int64_t rounds) {
  const double count = exp_rounds<simd::F32x8>(rounds);
  BS_LEAVE_WIDE_VECTORS();
  return count;
}
double exp_plain(std::int64_t rounds) { return exp_rounds<simd::F32x4>(rounds); }

// a[i] = b[i] + s c[i], `rounds` times over; 24 bytes an element. Non-temporal stores save the read of a's lines once they leave the caches.
[[gnu::target_clones("avx512f", "avx2", "default")]] void triad_cached(double* a, const double* b, const double* c, std::int64_t n, std::int64_t rounds) {
  for (std::int64_t r = 0; r < rounds; ++r) {
    for (std::int64_t i = 0; i < n; ++i) a[i] = b[i] + 0.5 * c[i];
    asm volatile("" : : "r"(a) : "memory");
  }
}

// Stores of a whole line: on some cores a fifth more than SSE2's.
[[gnu::target("avx512f")]] void triad_streamed_avx512(double* a, const double* b, const double* c, std::int64_t n, std::int64_t rounds) {
  const __m512d s = _mm512_set1_pd(0.5);
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i < n; i += 8)
      _mm512_stream_pd(a + i, _mm512_add_pd(_mm512_load_pd(b + i), _mm512_mul_pd(s, _mm512_load_pd(c + i))));
  _mm_sfence();
}

void triad_streamed(double* a, const double* b, const double* c, std::int64_t n, std::int64_t rounds) {
  const __m128d s = _mm_set1_pd(0.5);
  for (std::int64_t r = 0; r < rounds; ++r)
    for (std::int64_t i = 0; i + 2 <= n; i += 2) _mm_stream_pd(a + i, _mm_add_pd(_mm_load_pd(b + i), _mm_mul_pd(s, _mm_load_pd(c + i))));
  _mm_sfence();
}

/// The best of cached and streamed stores for three arrays of `bytes` in all.
double triad_rate(const Clock& clock, std::int64_t bytes) {
  const std::int64_t n = bytes / 24 / 8 * 8;
  Tensor memory(DType::f64, {3 * n});
  double *a = memory.as<double>(), *b = a + n, *c = b + n;
  std::fill(a, a + 3 * n, 1.0);
  const std::int64_t rounds = std::max<std::int64_t>(1, kTriadTraffic / bytes);
  double best = 0.0;
  const auto widest = __builtin_cpu_supports("avx512f") != 0 ? triad_streamed_avx512 : triad_streamed;
  for (const auto triad : {triad_cached, triad_streamed, widest})
    for (int repeat = 0; repeat < 3; ++repeat) {
      const double begin = clock();
      triad(a, b, c, n, rounds);
      best = std::max(best, 24.0 * static_cast<double>(n) * static_cast<double>(rounds) / (clock() - begin));
    }
  return best;
}

}  // namespace

analysis::Limits measure_limits(const Clock& clock) {
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  analysis::Limits limits;
  limits.fp32_flops_per_s = best_rate(clock, avx512 ? fp32_avx512 : avx2 ? fp32_avx2 : fp32_plain);
  limits.fp64_flops_per_s = best_rate(clock, avx512 ? fp64_avx512 : avx2 ? fp64_avx2 : fp64_plain);
  // Some CPUs issue the dot product at a quarter of their fp32 rate; converting to fp32 is then the faster way, and the honest limit.
  const double dot = has_bf16_dot() ? best_rate(clock, bf16_dot) : 0.0;
  limits.bf16_flops_per_s = std::max(dot, limits.fp32_flops_per_s);
  limits.exps_per_s = best_rate(clock, avx512 ? exp_avx512 : avx2 ? exp_avx2 : exp_plain);
  for (std::size_t i = 0; i < analysis::kTriadBytes.size(); ++i) limits.triad_bytes_per_s[i] = triad_rate(clock, analysis::kTriadBytes[i]);
  return limits;
}

analysis::Limits measure_limits_of(Link& link, const Clock& clock) {
  link.barrier();
  const analysis::Limits mine = measure_limits(clock);
  analysis::Limits sum;
  for (const analysis::Limits& limits : all_of(link, mine)) {
    sum.fp32_flops_per_s += limits.fp32_flops_per_s;
    sum.bf16_flops_per_s += limits.bf16_flops_per_s;
    sum.fp64_flops_per_s += limits.fp64_flops_per_s;
    sum.exps_per_s += limits.exps_per_s;
    for (std::size_t i = 0; i < sum.triad_bytes_per_s.size(); ++i) sum.triad_bytes_per_s[i] += limits.triad_bytes_per_s[i];
  }
  const LinkRates rates = measure_link(link, clock);
  sum.link_latency_s = rates.latency_s;
  sum.link_bytes_per_s = rates.bytes_per_s;
  return sum;
}

}  // namespace bench::jobs
