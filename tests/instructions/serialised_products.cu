// SPDX-License-Identifier: Apache-2.0
// A kernel that must not build: it calls a function while a product is under way, so ptxas serialises its products (C7510).
#include <cstdint>
#include <cstdio>

#include "kernels/cuda/product_asm.cuh"

namespace bench {

__global__ void __launch_bounds__(128, 1) serialised_products(float* x, std::uint64_t a, std::uint64_t b) {
  float c[64];
  for (int i = 0; i < 64; ++i) c[i] = x[i];
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  cuda::product_of_tiles<Bf16>(c, a, b, true);
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  printf("a call\n");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  for (int i = 0; i < 64; ++i) x[i + threadIdx.x] = c[i];
}

}  // namespace bench
