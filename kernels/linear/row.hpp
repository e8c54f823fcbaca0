// SPDX-License-Identifier: Apache-2.0
// What the cpu kernels do with a row of x before the products, and with a piece of a row of y after them.
#pragma once

#include <cstdint>

#include "kernels/isa.hpp"
#include "kernels/linear/fused.hpp"
#include "src/core/dtype.hpp"

namespace bench::linear {

/// to (depth) <- x (k) widened to fp32 and normalised, then zeros.
struct ReadRowArgs {
  const void* x;
  DType dtype;
  std::int64_t k, depth;
  Norm norm;
  float* to;
};
void read_row(Isa isa, const ReadRowArgs& args);

/// y <- activation(sums * scale + bias), rounded to dtype; `scale` may be null: 1.
struct FinishRowArgs {
  const float *sums, *scale;
  const void* bias;
  void* y;
  DType dtype;
  std::int64_t count;
  Activation activation;
};
void finish_row(Isa isa, const FinishRowArgs& args);

}  // namespace bench::linear
