// SPDX-License-Identifier: Apache-2.0
// The wgmma instructions as functions: m64nNk16 with fp32 accumulators, N / 2 a thread. Only lists of operands; what they mean is in
// hopper_machine.cuh. Numbers of operands are text inside an instruction, hence the lists.
#pragma once

#include <cstdint>
#include <type_traits>

#include "src/core/dtype.hpp"

namespace bench::cuda {

#define BS_FLOATS_8(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), "+f"(c[i + 7])
#define BS_FLOATS_16(c, i) BS_FLOATS_8(c, i), BS_FLOATS_8(c, i + 8)
#define BS_FLOATS_32(c) BS_FLOATS_16(c, 0), BS_FLOATS_16(c, 16)
#define BS_FLOATS_40(c) BS_FLOATS_32(c), BS_FLOATS_8(c, 32)
#define BS_FLOATS_64(c) BS_FLOATS_32(c), BS_FLOATS_16(c, 32), BS_FLOATS_16(c, 48)
#define BS_FLOATS_88(c) BS_FLOATS_64(c), BS_FLOATS_16(c, 64), BS_FLOATS_8(c, 80)
#define BS_FLOATS_128(c) BS_FLOATS_64(c), BS_FLOATS_16(c, 64), BS_FLOATS_16(c, 80), BS_FLOATS_16(c, 96), BS_FLOATS_16(c, 112)
#define BS_NAMES_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define BS_NAMES_40 BS_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define BS_NAMES_64 \
  BS_NAMES_40 ", " \
  "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define BS_NAMES_88 \
  BS_NAMES_64 ", " \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87"
#define BS_NAMES_128 \
  BS_NAMES_88 ", " \
  "%88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, " \
  "%108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

/// Both operands in shared memory and with 16 columns each; `a`, `b` and `add` are the numbers of their operands.
#define BS_PRODUCT_OF_TILES(type, n, count, a_at, b_at, add_at)                                                                 \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, " add_at ", 0;\nwgmma.mma_async.sync.aligned.m64n" n "k16.f32." type "." type \
               " {" BS_NAMES_##count "}, " a_at ", " b_at ", add, 1, 1, 0, 0;\n}"                                                \
               : BS_FLOATS_##count(c)                                                                                           \
               : "l"(a), "l"(b), "r"(add ? 1 : 0))

/// N = 64, both with their 16 rows as they lie (transposed).
#define BS_PRODUCT_OF_TRANSPOSED_TILES_64(type)                                                                         \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\nwgmma.mma_async.sync.aligned.m64n64k16.f32." type "." type \
               " {" BS_NAMES_32 "}, %32, %33, add, 1, 1, 1, 1;\n}"                                                      \
               : BS_FLOATS_32(c)                                                                                        \
               : "l"(a), "l"(b), "r"(add ? 1 : 0))

/// a in registers, b in shared memory with its rows as they lie (transposed).
#define BS_PRODUCT_OF_REGISTERS(type, n, count, a_at, b_at)                                                                  \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, 1, 0;\nwgmma.mma_async.sync.aligned.m64n" n "k16.f32." type "." type \
               " {" BS_NAMES_##count "}, {" a_at "}, " b_at ", add, 1, 1, 1;\n}"                                           \
               : BS_FLOATS_##count(c)                                                                                     \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))

#define BS_TILES_FUNCTION(n, count, a_at, b_at, add_at)                                                                 \
  template <class T>                                                                                                    \
  __device__ __forceinline__ void product_of_tiles(float (&c)[count], std::uint64_t a, std::uint64_t b, bool add) {     \
    if constexpr (std::is_same_v<T, Bf16>)                                                                              \
      BS_PRODUCT_OF_TILES("bf16", n, count, a_at, b_at, add_at);                                                        \
    else                                                                                                                \
      BS_PRODUCT_OF_TILES("f16", n, count, a_at, b_at, add_at);                                                         \
  }
#define BS_REGISTERS_FUNCTION(n, count, a_at, b_at)                                                                     \
  template <class T>                                                                                                    \
  __device__ __forceinline__ void product_of_registers(float (&c)[count], const std::uint32_t (&a)[4], std::uint64_t b) { \
    if constexpr (std::is_same_v<T, Bf16>)                                                                              \
      BS_PRODUCT_OF_REGISTERS("bf16", n, count, a_at, b_at);                                                            \
    else                                                                                                                \
      BS_PRODUCT_OF_REGISTERS("f16", n, count, a_at, b_at);                                                             \
  }

BS_TILES_FUNCTION("64", 32, "%32", "%33", "%34")
BS_TILES_FUNCTION("80", 40, "%40", "%41", "%42")
BS_TILES_FUNCTION("128", 64, "%64", "%65", "%66")
BS_TILES_FUNCTION("176", 88, "%88", "%89", "%90")
BS_REGISTERS_FUNCTION("64", 32, "%32, %33, %34, %35", "%36")
BS_REGISTERS_FUNCTION("128", 64, "%64, %65, %66, %67", "%68")
BS_REGISTERS_FUNCTION("256", 128, "%128, %129, %130, %131", "%132")

template <class T>
__device__ __forceinline__ void product_of_transposed_tiles(float (&c)[32], std::uint64_t a, std::uint64_t b, bool add) {
  if constexpr (std::is_same_v<T, Bf16>)
    BS_PRODUCT_OF_TRANSPOSED_TILES_64("bf16");
  else
    BS_PRODUCT_OF_TRANSPOSED_TILES_64("f16");
}

}  // namespace bench::cuda
