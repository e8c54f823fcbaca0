// SPDX-License-Identifier: Apache-2.0
#include "jobs/roofline.hpp"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "jobs/team.hpp"

namespace bench::jobs {
namespace {

constexpr int kChains = 12;           // two ports x four to five cycles of latency need 8 to 10
constexpr double kLoop_s = 0.02;      // long enough for the clock, short enough to be repeated
constexpr int kRepeats = 5;
constexpr std::size_t kStreamElements = std::size_t{1} << 23;  // 64 MiB of fp64 per array: beyond a core's share of any cache

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

[[gnu::target_clones("avx512f", "avx2", "default")]] double exp_rounds(std::int64_t rounds) {
  // exp2 on [-1, 1]: a degree-5 polynomial plus the exponent, the shape every kernel here uses.
  alignas(64) std::array<float, 2048> x{};
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = -1.0F / static_cast<float>(i + 1);
  for (std::int64_t r = 0; r < rounds; ++r) {
    for (float& value : x) {
      const float whole = std::floor(value + 0.5F);
      const float f = value - whole;
      float p = 1.3333558e-3F;
      p = p * f + 9.6181291e-3F;
      p = p * f + 5.5504109e-2F;
      p = p * f + 2.4022651e-1F;
      p = p * f + 6.9314718e-1F;
      p = p * f + 1.0F;
      const auto scale = std::bit_cast<float>((static_cast<std::int32_t>(whole) + 127) << 23);
      value = p * scale - 1.5F;  // stays within [-1, 0.5]
    }
    touch(x);
  }
  return static_cast<double>(rounds) * static_cast<double>(x.size());
}

struct Stream {
  std::vector<double> a = std::vector<double>(kStreamElements, 0.0);
  std::vector<double> b = std::vector<double>(kStreamElements, 1.0);
  std::vector<double> c = std::vector<double>(kStreamElements, 2.0);

  double triad() {
    const __m128d s = _mm_set1_pd(0.5);
    double* out = a.data();
    std::size_t i = 0;
    for (; i < kStreamElements && reinterpret_cast<std::uintptr_t>(out + i) % 16 != 0; ++i) out[i] = b[i] + 0.5 * c[i];
    for (; i + 2 <= kStreamElements; i += 2)
      _mm_stream_pd(out + i, _mm_add_pd(_mm_loadu_pd(&b[i]), _mm_mul_pd(s, _mm_loadu_pd(&c[i]))));
    for (; i < kStreamElements; ++i) out[i] = b[i] + 0.5 * c[i];
    _mm_sfence();
    touch(a);
    return 24.0 * static_cast<double>(kStreamElements);
  }
};

double stream_rate(const Clock& clock) {
  Stream stream;
  double best = 0.0;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double begin = clock();
    const double bytes = stream.triad();
    best = std::max(best, bytes / (clock() - begin));
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
  const double dot = __builtin_cpu_supports("avx512bf16") != 0 ? best_rate(clock, bf16_dot) : 0.0;
  limits.bf16_flops_per_s = std::max(dot, limits.fp32_flops_per_s);
  limits.exps_per_s = best_rate(clock, exp_rounds);
  limits.bytes_per_s = stream_rate(clock);
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
    sum.bytes_per_s += limits.bytes_per_s;
    sum.exps_per_s += limits.exps_per_s;
  }
  return sum;
}

}  // namespace bench::jobs
