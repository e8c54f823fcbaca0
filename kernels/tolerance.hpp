// SPDX-License-Identifier: Apache-2.0
// How far an output may lie from the fp64 oracle. One function for tests and harness.
//
// The error measure is max|x - ref| / max|ref| over the checked elements of one output. Rounding alone explains
//   c * eps(accumulator) for the sums (accumulation is fp32, or fp64 for fp64 tensors), plus
//   c16 * eps(dtype)     where 16-bit values are stored: the output itself, and intermediate weights that a 16-bit matrix unit reads.
// eps is the spacing of numbers next to 1. The factors are the op's: they are argued where the op defines them.
#pragma once

#include "src/core/dtype.hpp"

namespace bench {

struct ErrorFactors {
  double accumulation;  // in units of the accumulator's eps
  double storage;       // in units of the tensor's eps, only for 16-bit tensors
};

inline double rounding_tolerance(DType dtype, ErrorFactors factors) {
  const bool narrow = dtype == DType::bf16 || dtype == DType::f16;
  const double accumulator = epsilon_of(dtype == DType::f64 ? DType::f64 : DType::f32);
  return factors.accumulation * accumulator + (narrow ? factors.storage * epsilon_of(dtype) : 0.0);
}

}  // namespace bench
