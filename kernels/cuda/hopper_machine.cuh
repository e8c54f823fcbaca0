// SPDX-License-Identifier: Apache-2.0
// The machine of sm_90a: besides Machine's, tensor-core products of a whole warpgroup (wgmma), the copy engine (TMA) and barriers in shared
// memory that both complete on (mbarrier). PTX ISA 8.5, sections 9.7.15 (wgmma), 9.7.9.25 (cp.async.bulk.tensor), 9.7.13.15 (mbarrier), 9.7.13.1
// (barriers with a number), 9.7.14 (stmatrix).
//
// A product is asynchronous: product_fence() before the first one after registers it uses were written, commit_products(), then
// wait_products() before its accumulators are read or its tiles are overwritten.
#pragma once

#include <cuda.h>

#include "kernels/cuda/machine.cuh"
#include "kernels/cuda/product_asm.cuh"

namespace bench::cuda {

struct HopperMachine : Machine {
  using TensorMap = CUtensorMap;

  static __device__ __forceinline__ void start_barrier(std::uint32_t barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
  }
  /// After the last start_barrier and before the block's sync(): the copy engine sees them, too.
  static __device__ __forceinline__ void publish_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
  static __device__ __forceinline__ void arrive(std::uint32_t barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
  }
  /// Arrives, and lets the barrier wait for so many bytes of copies besides.
  static __device__ __forceinline__ void arrive_with_bytes(std::uint32_t barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
  }
  /// Until the phase of that parity is over; at once for parity 1 of a barrier that has just been started.
  static __device__ __forceinline__ void await(std::uint32_t barrier, int parity) {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@!done bra again;\n"
        "}" ::"r"(barrier),
        "r"(parity)
        : "memory");
  }

  /// A box of a tensor into shared memory, its bytes counted on `barrier`. What lies outside of the tensor is zero.
  static __device__ __forceinline__ void copy_box(std::uint32_t to, const TensorMap& map, std::uint32_t barrier, int x, int y, int z) {
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
                 "l"(reinterpret_cast<std::uint64_t>(&map)), "r"(barrier), "r"(x), "r"(y), "r"(z)
                 : "memory");
  }
  /// The same of a tensor (w, z, y, x).
  static __device__ __forceinline__ void copy_box(std::uint32_t to, const TensorMap& map, std::uint32_t barrier, int x, int y, int z, int w) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
                 "l"(reinterpret_cast<std::uint64_t>(&map)), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w)
                 : "memory");
  }

  /// Bytes of global into shared memory, counted on `barrier`; all three multiples of 16.
  static __device__ __forceinline__ void copy_bytes(std::uint32_t to, const void* from, int bytes, std::uint32_t barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
  }
  /// Adds fp32 numbers in shared to those in global memory; multiples of 16 bytes. After publish_writes() of those who wrote them.
  static __device__ __forceinline__ void add_bytes(float* to, std::uint32_t from, int bytes) {
    asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(to), "r"(from), "r"(bytes) : "memory");
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
  }
  /// Until what this thread's add_bytes() adds has been read: its place may be written again.
  static __device__ __forceinline__ void wait_additions() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
  /// Until it has been added.
  static __device__ __forceinline__ void end_additions() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }
  /// Machine's, for additions by the copy engine.
  static __device__ __forceinline__ void await_turn(const int* turn, int value) {
    Machine::await_turn(turn, value);
    asm volatile("fence.proxy.async.global;" ::: "memory");
  }
  static __device__ __forceinline__ void end_turn(int* turn) {
    asm volatile("fence.proxy.async.global;" ::: "memory");
    Machine::end_turn(turn);
  }
  static __device__ __forceinline__ void sync_warp() { __syncwarp(); }

  static __device__ __forceinline__ void store_floats(std::uint32_t at, const float* x) {
    asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(at), "f"(x[0]), "f"(x[1]), "f"(x[2]), "f"(x[3]) : "memory");
  }
  static __device__ __forceinline__ void load_floats(float (&x)[4], std::uint32_t at) {
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(x[0]), "=f"(x[1]), "=f"(x[2]), "=f"(x[3]) : "r"(at) : "memory");
  }

  /// A box of shared memory into a tensor; what would lie outside of it is left out. Reads what publish_writes() has shown it, until
  /// wait_stores_read().
  static __device__ __forceinline__ void store_box(const TensorMap& map, std::uint32_t from, int x, int y, int z) {
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(reinterpret_cast<std::uint64_t>(&map)), "r"(from), "r"(x),
                 "r"(y), "r"(z)
                 : "memory");
  }
  static __device__ __forceinline__ void commit_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
  /// Until this thread's committed stores have read their boxes; they may still be on their way.
  static __device__ __forceinline__ void wait_stores_read() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }
  /// Each thread that wrote to shared memory, before any of its threads has the copy engine read it.
  static __device__ __forceinline__ void publish_writes() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
  /// Four 8 x 8 matrices of 16-bit elements from registers as load_matrix has them; lane 8 i + r says where row r of matrix i goes.
  static __device__ __forceinline__ void store_matrix(std::uint32_t to, const std::uint32_t (&in)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(in[0]), "r"(in[1]), "r"(in[2]), "r"(in[3]) : "memory");
  }

  /// Whole warps meet at a barrier with a number from 1 to 15: `threads` of them, those that only signal included.
  static __device__ __forceinline__ void meet(int number, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory"); }
  static __device__ __forceinline__ void signal(int number, int threads) { asm volatile("bar.arrive %0, %1;" ::"r"(number), "r"(threads) : "memory"); }

  static __device__ __forceinline__ int blocks() { return static_cast<int>(gridDim.x); }
  /// Adds one, or makes it 0 again after `last`; returns what it was.
  static __device__ __forceinline__ std::uint32_t count_up(std::uint32_t* counter, std::uint32_t last) { return atomicInc(counter, last); }
  /// What `x`, 0 or more, is made of comes before whatever follows. ptxas moves a wait for products up as far as nothing it knows of stands between; what was
  /// to be computed under those products then comes after them. A branch on x, which is never taken, stands between.
  static __device__ __forceinline__ void before_what_follows(float x) {
    asm volatile("{\n.reg .pred usual;\nsetp.ge.f32 usual, %0, 0f00000000;\n@usual bra on;\nnanosleep.u32 0;\non:\n}" ::"f"(x) : "memory");
  }
  /// Lane 0's, which the compiler then knows to be the warp's: it may keep it, and what follows from it, once for all lanes.
  static __device__ __forceinline__ int of_warp(int x) { return __shfl_sync(0xffffffffU, x, 0); }

  /// Registers a thread of this warpgroup from here on; all its warps say so.
  template <int kCount>
  static __device__ __forceinline__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
  }
  template <int kCount>
  static __device__ __forceinline__ void give_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
  }

  static __device__ __forceinline__ void product_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
  static __device__ __forceinline__ void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
  template <int kPending>
  static __device__ __forceinline__ void wait_products() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
  }
  /// The compiler must neither keep these in other registers over a product nor move their use across it.
  template <int kCount>
  static __device__ __forceinline__ void pin(float (&x)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(x[i])::"memory");
  }

  /// c (64 x 2 kCount, fp32) = (add ? c : 0) + a (64 x 16) b^T, both in shared memory, both with 16 columns; accumulators as in multiply_add, 16 rows a warp.
  template <class T, int kCount>
  static __device__ __forceinline__ void product(float (&c)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
    product_of_tiles<T>(c, a, b, add);
  }
  /// The same with a^T (16 x 64) and b (16 x 2 kCount), rows as they lie.
  template <class T, int kCount>
  static __device__ __forceinline__ void product_transposed(float (&c)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
    product_of_transposed_tiles<T>(c, a, b, add);
  }
  /// c += a (64 x 16, in registers as multiply_add has it) b (16 x 2 kCount, in shared memory, rows as they lie).
  template <class T, int kCount>
  static __device__ __forceinline__ void product(float (&c)[kCount], const std::uint32_t (&a)[4], std::uint64_t b) {
    product_of_registers<T>(c, a, b);
  }
};

}  // namespace bench::cuda
