// SPDX-License-Identifier: Apache-2.0
// The machine that a tensor-core kernel is written for: one thread's view of a block on an NVIDIA GPU from sm_80 on. A kernel's body
// takes it as a template parameter, so that a test can run the very same body on the host, thread by thread (tests/support/host_machine).
//
// Collectives of a warp (load_matrix, multiply_add, shuffle_xor) are called by all 32 lanes. Addresses of shared memory are bytes in the
// shared window, as the instructions want them. Instructions: PTX ISA 8.5, sections 9.7.9 (cp.async), 9.7.12 (red),
// 9.7.14 (ldmatrix, mma.sync).
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/swizzle.hpp"
#include "src/core/dtype.hpp"

namespace bench::cuda {

struct Machine {
  static __device__ __forceinline__ int thread() { return static_cast<int>(threadIdx.x); }
  static __device__ __forceinline__ int block() { return static_cast<int>(blockIdx.x); }
  static __device__ __forceinline__ void sync() { __syncthreads(); }

  /// The block's dynamic shared memory, aligned for tiles.
  static __device__ __forceinline__ std::uint32_t shared() {
    extern __shared__ std::uint8_t memory[];
    constexpr std::uint32_t kLow = kTileAlignment_bytes - 1;
    return (static_cast<std::uint32_t>(__cvta_generic_to_shared(memory)) + kLow) & ~kLow;
  }

  /// What lies at an address of the shared window, for ordinary reads and writes.
  static __device__ __forceinline__ std::uint8_t* shared_place(std::uint32_t at) {
    extern __shared__ std::uint8_t memory[];
    return memory + (at - static_cast<std::uint32_t>(__cvta_generic_to_shared(memory)));
  }
  /// The same memory for ordinary reads and writes, from its very beginning.
  static __device__ __forceinline__ float* shared_floats() {
    extern __shared__ std::uint8_t memory[];
    return reinterpret_cast<float*>(memory);
  }

  struct Words {
    std::uint32_t word[4];
  };
  /// 16 bytes of global memory that are read once: past L1.
  static __device__ __forceinline__ Words load16(const void* from) {
    Words w;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(w.word[0]), "=r"(w.word[1]), "=r"(w.word[2]), "=r"(w.word[3]) : "l"(from));
    return w;
  }

  static __device__ __forceinline__ void store16(void* to, const Words& w) {
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(w.word[0]), "r"(w.word[1]), "r"(w.word[2]), "r"(w.word[3]) : "memory");
  }

  /// 16 bytes from global to shared memory, or zeros; arrives with wait(). `from` may not be read when `valid` is false.
  static __device__ __forceinline__ void copy16(std::uint32_t to, const void* from, bool valid) {
    const int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  }
  static __device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
  /// Until all but the last kPending groups of this thread's copies have arrived; other threads' need sync() after it.
  template <int kPending>
  static __device__ __forceinline__ void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
  }

  /// Four 8 x 8 matrices of 16-bit elements. Lane 8 i + r gives the address of row r of matrix i; lane l receives of matrix i
  /// columns 2 (l mod 4) and the next one of row l / 4.
  static __device__ __forceinline__ void load_matrix(std::uint32_t (&out)[4], std::uint32_t at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at)
                 : "memory");
  }
  /// The same of the transposed matrices: lane l receives of column l / 4 rows 2 (l mod 4) and the next one.
  static __device__ __forceinline__ void load_matrix_transposed(std::uint32_t (&out)[4], std::uint32_t at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at)
                 : "memory");
  }

  /// c (16 x 8, fp32) += a (16 x 16) b (16 x 8). With g = lane / 4, t = lane mod 4: a[0] row g, columns 2t; a[1] row g + 8; a[2], a[3]
  /// the same rows, columns 2t + 8; b0 rows 2t of column g, b1 rows 2t + 8; c[0..1] row g, columns 2t; c[2..3] row g + 8.
  template <class T>
  static __device__ __forceinline__ void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    if constexpr (std::is_same_v<T, Bf16>)
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                   : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    else
      asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                   : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }

  /// Two numbers rounded to T, `low` in the low half.
  template <class T>
  static __device__ __forceinline__ std::uint32_t pack(float low, float high) {
    std::uint32_t both;
    if constexpr (std::is_same_v<T, Bf16>)
      asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    else
      asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
  }

  template <class T>
  static __device__ __forceinline__ T round(float x) {
    if constexpr (std::is_same_v<T, float>)
      return x;
    else
      return T{static_cast<std::uint16_t>(pack<T>(x, 0.0F))};
  }
  /// a b + c of both halves, each rounded once.
  template <class T>
  static __device__ __forceinline__ std::uint32_t multiply_add_pairs(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    std::uint32_t sum;
    if constexpr (std::is_same_v<T, Bf16>)
      asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
    else
      asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
    return sum;
  }
  /// The same number, of which the compiler knows nothing any more: what follows from it inside a loop is not kept in registers from round to round.
  template <class Int>
  static __device__ __forceinline__ Int fresh(Int x) {
    asm volatile("" : "+r"(x));
    return x;
  }
  /// The fp32 number that a word is.
  static __device__ __forceinline__ float number(std::uint32_t word) { return __uint_as_float(word); }
  static __device__ __forceinline__ std::uint32_t word_of(float x) { return __float_as_uint(x); }
  /// The number in the low or the high half of a word.
  template <class T>
  static __device__ __forceinline__ float low(std::uint32_t word) {
    if constexpr (std::is_same_v<T, Bf16>) return __uint_as_float(word << 16);
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(static_cast<std::uint16_t>(word)));
    return x;
  }
  template <class T>
  static __device__ __forceinline__ float high(std::uint32_t word) {
    if constexpr (std::is_same_v<T, Bf16>) return __uint_as_float(word & 0xffff0000U);
    return low<T>(word >> 16);
  }

  static __device__ __forceinline__ void store_word(std::uint32_t at, std::uint32_t word) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(at), "r"(word) : "memory");
  }
  static __device__ __forceinline__ std::uint32_t load_word(std::uint32_t at) {
    std::uint32_t word;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(word) : "r"(at) : "memory");
    return word;
  }

  static __device__ __forceinline__ Words load_words(std::uint32_t at) {
    Words w;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(w.word[0]), "=r"(w.word[1]), "=r"(w.word[2]), "=r"(w.word[3]) : "r"(at) : "memory");
    return w;
  }

  /// How many neighbours in global memory add() takes at once: Hopper has an instruction for four.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  static constexpr int kAddWidth = 4;
  static __device__ __forceinline__ void add(float* to, const float* x) {
    asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(x[0]), "f"(x[1]), "f"(x[2]), "f"(x[3]) : "memory");
  }
#else
  static constexpr int kAddWidth = 1;
  static __device__ __forceinline__ void add(float* to, const float* x) {
    asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(to), "f"(*x) : "memory");
  }
#endif

  static __device__ __forceinline__ void add_one(float* to, float x) { asm volatile("red.relaxed.gpu.global.add.f32 [%0], %1;" ::"l"(to), "f"(x) : "memory"); }

  /// Counters in global memory that blocks wait at for each other. One thread calls these, beside a sync() of its block: what the block's threads have
  /// added before it is there for those behind the sync() of a block that has awaited it.
  static __device__ __forceinline__ int take_ticket(int* counter) { return atomicAdd(counter, 1); }
  static __device__ __forceinline__ void await_turn(const int* turn, int value) {
    int now;
    do asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(now) : "l"(turn) : "memory");
    while (now != value);
  }
  static __device__ __forceinline__ void end_turn(int* turn) {
    __threadfence();  // the whole block's additions, which a release alone need not cover
    asm volatile("red.release.gpu.global.add.s32 [%0], 1;" ::"l"(turn) : "memory");
  }

  /// For one thread of a block, beside a sync() of it: whether it is the last of `count` blocks to come here. What their threads wrote before is then
  /// there for the last one's behind another sync(); the counter is 0 again.
  static __device__ __forceinline__ bool last_to_arrive(std::uint32_t* counter, int count) {
    __threadfence();
    const bool last = atomicInc(counter, static_cast<std::uint32_t>(count - 1)) == static_cast<std::uint32_t>(count - 1);
    __threadfence();
    return last;
  }

  static __device__ __forceinline__ std::uint64_t take_ticket(std::uint64_t* counter) { return atomicAdd(reinterpret_cast<unsigned long long*>(counter), 1ULL); }

  /// Two words of 64 bits for other blocks, each of which is there as a whole or not yet: a number, and above it a tag that tells which.
  static __device__ __forceinline__ void publish16(void* to, const Words& w) {
    asm volatile("{\n.reg .b64 low, high;\nmov.b64 low, {%1, %2};\nmov.b64 high, {%3, %4};\nst.relaxed.gpu.global.v2.b64 [%0], {low, high};\n}" ::"l"(to),
                 "r"(w.word[0]), "r"(w.word[1]), "r"(w.word[2]), "r"(w.word[3])
                 : "memory");
  }
  /// Several of these, until all their tags are `tag`, or all are the next one.
  template <int kCount>
  static __device__ __forceinline__ void await16(Words (&got)[kCount], const void* from, std::uint32_t tag) {
    while (!read_published(got, from, tag)) __nanosleep(20);
  }

  static __device__ __forceinline__ bool any(bool x) { return __any_sync(0xffffffffU, x) != 0; }
  static __device__ __forceinline__ float shuffle(float x, int lane) { return __shfl_sync(0xffffffffU, x, lane); }
  static __device__ __forceinline__ float shuffle_xor(float x, int lanes) { return __shfl_xor_sync(0xffffffffU, x, lanes); }
  /// 2^x, two ulp (ex2.approx); 0 for minus infinity.
  static __device__ __forceinline__ float exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  /// 1 / x, one ulp (rcp.approx); 0 for infinity.
  static __device__ __forceinline__ float reciprocal(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  static __device__ __forceinline__ float log(float x) { return logf(x); }

 private:
  template <int kCount>
  static __device__ __forceinline__ bool read_published(Words (&got)[kCount], const void* from, std::uint32_t tag) {
    bool all = true;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      Words& w = got[i];
      asm volatile("{\n.reg .b64 low, high;\nld.relaxed.gpu.global.v2.b64 {low, high}, [%4];\nmov.b64 {%0, %1}, low;\nmov.b64 {%2, %3}, high;\n}"
                   : "=r"(w.word[0]), "=r"(w.word[1]), "=r"(w.word[2]), "=r"(w.word[3])
                   : "l"(static_cast<const char*>(from) + 16 * i)
                   : "memory");
      all = all && w.word[1] == got[0].word[1] && w.word[3] == got[0].word[1];
    }
    return all && (got[0].word[1] == tag || got[0].word[1] == tag + 1);
  }
};

}  // namespace bench::cuda
