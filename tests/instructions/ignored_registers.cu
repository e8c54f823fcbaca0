// SPDX-License-Identifier: Apache-2.0
// A kernel that must not build: with no bound of its threads ptxas does not know how many registers it begins with, and ignores the change (C7508).

namespace bench {

__global__ void ignored_registers(float* x) {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
  x[threadIdx.x] = 1.0F;
}

}  // namespace bench
