// SPDX-License-Identifier: Apache-2.0
// What functions of a device's kernel are declared with. g++ sees them as plain inline functions: index arithmetic is tested with no
// device, and so is a whole kernel that takes the machine it runs on as a parameter (kernels/cuda/machine.cuh).
#pragma once

#if defined(__CUDACC__)
#define BS_DEVICE __device__ __forceinline__
#define BS_HOST_DEVICE __host__ __device__ __forceinline__
#define BS_UNROLL _Pragma("unroll")
#define BS_PRAGMA(text) _Pragma(#text)
#define BS_UNROLL_BY(count) BS_PRAGMA(unroll count)
#define BS_NO_UNROLL _Pragma("unroll 1")
#else
#define BS_DEVICE inline
#define BS_HOST_DEVICE inline
#define BS_UNROLL
#define BS_UNROLL_BY(count)
#define BS_NO_UNROLL
#endif
