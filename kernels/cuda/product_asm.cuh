// SPDX-License-Identifier: Apache-2.0
// The wgmma instructions as functions: m64nNk16 with fp32 accumulators, N / 2 a thread. Only lists of operands; what they mean is in
// hopper_machine.cuh. Numbers of operands are text inside an instruction, hence the lists.
#pragma once

#include <cstdint>
#include <type_traits>

#include "src/core/dtype.hpp"

namespace bench::cuda {

#define BS_FLOATS_4(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3])
#define BS_FLOATS_16(c, i) BS_FLOATS_4(c, i), BS_FLOATS_4(c, i + 4), BS_FLOATS_4(c, i + 8), BS_FLOATS_4(c, i + 12)
#define BS_FLOATS_32(c) BS_FLOATS_16(c, 0), BS_FLOATS_16(c, 16)
#define BS_FLOATS_64(c) BS_FLOATS_32(c), BS_FLOATS_16(c, 32), BS_FLOATS_16(c, 48)
#define BS_NAMES_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define BS_NAMES_64 \
  BS_NAMES_32 ", " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

/// N = 128, both operands in shared memory and with 16 columns each.
#define BS_PRODUCT_OF_TILES_128(type)                                                                                    \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %66, 0;\nwgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type \
               " {" BS_NAMES_64 "}, %64, %65, add, 1, 1, 0, 0;\n}"                                                        \
               : BS_FLOATS_64(c)                                                                                         \
               : "l"(a), "l"(b), "r"(add ? 1 : 0))

/// N = 64: both with 16 columns ("0, 0"), or both with their 16 rows as they lie ("1, 1": transposed).
#define BS_PRODUCT_OF_TILES_64(type, transposed)                                                                        \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\nwgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type \
               " {" BS_NAMES_32 "}, %32, %33, add, 1, 1, " transposed ";\n}"                                             \
               : BS_FLOATS_32(c)                                                                                        \
               : "l"(a), "l"(b), "r"(add ? 1 : 0))

/// a in registers, b in shared memory with its rows as they lie (transposed).
#define BS_PRODUCT_OF_REGISTERS_64(type)                                                                                \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, 1, 0;\nwgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type \
               " {" BS_NAMES_32 "}, {%32, %33, %34, %35}, %36, add, 1, 1, 1;\n}"                                         \
               : BS_FLOATS_32(c)                                                                                        \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
#define BS_PRODUCT_OF_REGISTERS_128(type)                                                                                \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, 1, 0;\nwgmma.mma_async.sync.aligned.m64n128k16.f32." type "." type \
               " {" BS_NAMES_64 "}, {%64, %65, %66, %67}, %68, add, 1, 1, 1;\n}"                                          \
               : BS_FLOATS_64(c)                                                                                         \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))

template <class T>
__device__ __forceinline__ void product_of_tiles(float (&c)[64], std::uint64_t a, std::uint64_t b, bool add) {
  if constexpr (std::is_same_v<T, Bf16>)
    BS_PRODUCT_OF_TILES_128("bf16");
  else
    BS_PRODUCT_OF_TILES_128("f16");
}

template <class T>
__device__ __forceinline__ void product_of_tiles(float (&c)[32], std::uint64_t a, std::uint64_t b, bool add) {
  if constexpr (std::is_same_v<T, Bf16>)
    BS_PRODUCT_OF_TILES_64("bf16", "0, 0");
  else
    BS_PRODUCT_OF_TILES_64("f16", "0, 0");
}
template <class T>
__device__ __forceinline__ void product_of_transposed_tiles(float (&c)[32], std::uint64_t a, std::uint64_t b, bool add) {
  if constexpr (std::is_same_v<T, Bf16>)
    BS_PRODUCT_OF_TILES_64("bf16", "1, 1");
  else
    BS_PRODUCT_OF_TILES_64("f16", "1, 1");
}

template <class T>
__device__ __forceinline__ void product_of_registers(float (&c)[32], const std::uint32_t (&a)[4], std::uint64_t b) {
  if constexpr (std::is_same_v<T, Bf16>)
    BS_PRODUCT_OF_REGISTERS_64("bf16");
  else
    BS_PRODUCT_OF_REGISTERS_64("f16");
}
template <class T>
__device__ __forceinline__ void product_of_registers(float (&c)[64], const std::uint32_t (&a)[4], std::uint64_t b) {
  if constexpr (std::is_same_v<T, Bf16>)
    BS_PRODUCT_OF_REGISTERS_128("bf16");
  else
    BS_PRODUCT_OF_REGISTERS_128("f16");
}

}  // namespace bench::cuda
