// SPDX-License-Identifier: Apache-2.0
// The limits that results are held against, measured by the program itself in the same run and with the same binding: multiply-add rates,
// memory bandwidth and the exponential rate of one rank. All ranks of a width measure at the same time, so that shared bandwidth shows.
#pragma once

#include "analysis/record.hpp"
#include "jobs/clock.hpp"
#include "src/core/link.hpp"

namespace bench::jobs {

/// Rates of `threads` threads of this rank together, each the best of a few short loops (about 0.5 s in all). Methods:
///   fp32, fp64  independent chains of fused multiply-adds in registers, widest vectors that the CPU has
///   bf16        the dot-product instruction (AVX512-BF16) in the same way, or the fp32 rate where that is higher
///   triad       a[i] = b[i] + s*c[i], 24 bytes per fp64 element, over working sets from 256 KiB to 256 MiB; cached or streamed stores,
///               whichever is faster (McCalpin's STREAM, swept over sizes so that a case is held against the level of memory it lives in)
///   read        sums of what is read with the widest vectors, over the same working sets
///   exps        the polynomial exp2 of the scan kernels, in registers
analysis::Limits measure_limits(std::int64_t threads, const Clock& clock);

/// Sum over the ranks of `link`, which all measure together; and what the link gives each of them (link_rates.hpp).
analysis::Limits measure_limits_of(Link& link, std::int64_t threads, const Clock& clock);

}  // namespace bench::jobs
