// SPDX-License-Identifier: Apache-2.0
// Finish as the end of a tile of a product of matrices (kernels/cuda/gemm_mma.hpp, gemm_fma.hpp).
#pragma once

#include "kernels/linear/finish.hpp"

namespace bench::linear {

template <class M, class T>
struct LayerFinish {
  Finish of = {};

  BS_DEVICE float operator()(float sum, int column) const { return of.value<M, T>(sum, column); }
};

}  // namespace bench::linear
