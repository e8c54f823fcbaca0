// SPDX-License-Identifier: Apache-2.0
// What the arithmetic units of the core give that the calling thread runs on: each the best of a few loops of 10 ms in registers.
#pragma once

#include "jobs/clock.hpp"
#include "kernels/isa.hpp"

namespace bench::jobs {

/// FLOP/s of independent chains of fused multiply-adds, with the vectors of an instruction set that the CPU must have.
double fp32_rate(const Clock& clock, Isa isa = best_isa());
double fp64_rate(const Clock& clock, Isa isa = best_isa());
/// FLOP/s of the bf16 dot-product instruction (AVX512-BF16) in the same way; 0 where there is none.
double bf16_dot_rate(const Clock& clock);
/// Exponentials a second, by the polynomial exp2 of the scan kernels.
double exp_rate(const Clock& clock, Isa isa = best_isa());

}  // namespace bench::jobs
