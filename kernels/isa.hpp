// SPDX-License-Identifier: Apache-2.0
// Which vector instructions this processor has, asked at run time: one binary for all, never -march=native.
//
// A kernel writes its body once over a vector type (kernels/simd_math.hpp) and wraps it in one function per
// instruction set:
//   BS_TARGET_AVX512 void tile_avx512(const Job& job) { tile<simd::F32x16>(job); }
//   BS_TARGET_AVX2   void tile_avx2(const Job& job)   { tile<simd::F32x8>(job); }
//                    void tile_plain(const Job& job)  { tile<simd::F32x4>(job); }
// The body must be [[gnu::always_inline]], so that it takes the wrapper's instruction set, and must not use
// lambdas, which would not.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#if defined(__x86_64__)
#define BS_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define BS_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define BS_TARGET_AVX512_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")))
#define BS_TARGET_AVX2_VNNI __attribute__((target("avx2,fma,avxvnni")))

/// Last statement of a function with one of these targets. g++ 12 forgets vzeroupper where an always-inlined vector body ends a
/// function; the caller's next scalar code then pays for every switch between the two encodings (measured: std::exp 25 times slower).
#define BS_LEAVE_WIDE_VECTORS() __asm__ volatile("vzeroupper" : : : "memory")
#else
#define BS_TARGET_AVX512
#define BS_TARGET_AVX2
#define BS_TARGET_AVX512_VNNI
#define BS_TARGET_AVX2_VNNI
#define BS_LEAVE_WIDE_VECTORS()
#endif

namespace bench {

enum class Isa : std::uint8_t { plain, avx2, avx512 };
inline constexpr std::array<Isa, 3> kAllIsas{Isa::plain, Isa::avx2, Isa::avx512};

std::string_view to_text(Isa isa);
/// Throws a usage error that names what is allowed.
Isa parse_isa(std::string_view text);

/// No kernel of ours uses more than this: what cap_isa set, else what BENCH_SCALE_ISA names, else avx512. LibTorch chooses for itself.
Isa isa_cap();
/// Before any kernel runs: engines are chosen once.
void cap_isa(Isa isa);

/// True when code compiled for `isa` runs here (processor, operating system, cap). The plain twin runs
/// everywhere.
inline bool has_isa(Isa isa) {
  if (isa > isa_cap()) return false;
#if defined(__x86_64__)
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == Isa::plain;
}

/// True when vdpbf16ps runs here: products of bf16 pairs, summed in fp32.
inline bool has_bf16_dot() {
#if defined(__x86_64__)
  return has_isa(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

/// True where that is also faster than widening to fp32. AMD's cores start one a cycle: twice the rate of fp32
/// multiply-adds (Zen 4: 235 against 117 GFLOP/s). Intel's start one every other cycle: half the rate of fp32 (family
/// 6, model 207: 94 against 206). By the vendor and not by a measurement, so that all ranks and all runs choose alike.
inline bool has_fast_bf16_dot() {
#if defined(__x86_64__)
  return has_bf16_dot() && __builtin_cpu_is("amd");
#else
  return false;
#endif
}

/// True when vpdpbusd runs here in the registers of `isa`: products of unsigned and signed bytes, four summed in a 32-bit lane.
inline bool has_byte_dot(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return has_isa(isa) && __builtin_cpu_supports("avx512vnni");
  if (isa == Isa::avx2) return has_isa(isa) && __builtin_cpu_supports("avxvnni");
#endif
  return false;
}

/// The widest instruction set that runs here.
inline Isa best_isa() {
  if (has_isa(Isa::avx512)) return Isa::avx512;
  return has_isa(Isa::avx2) ? Isa::avx2 : Isa::plain;
}

}  // namespace bench
