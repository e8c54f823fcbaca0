// SPDX-License-Identifier: Apache-2.0
// What grows with the ranks. Strong: nothing. Throughput: the number of independent copies of the one-rank case, one a rank,
// side by side ("replicas"). Weak: a parameter grows so that the work per rank stays equal.
//   by batch    batch * p
//   by tokens   seq * p
//   by flops    seq * p where an op's flops grow linearly in seq (scans);
//               seq * sqrt(p), rounded to a multiple of 64, where they grow as seq^2 (attention): seq * p
//               would give each of p ranks p times the work. What the rounding leaves over shows in
//               Cost::flops and is divided out of the efficiency.
#pragma once

#include <cstdint>

#include "kernels/problem.hpp"
#include "scaling/study.hpp"

namespace bench::scaling {

/// How fast the op's flops grow with seq at this point: log2(flops(2 seq) / flops(seq)), about 1 or 2.
double flops_order(const Op& op, const Params& params);

/// `base` (any rank count) on p ranks under `spec`: "ranks" becomes p and, when weak, one more parameter
/// grows; under throughput "ranks" stays 1 and "replicas" becomes p (absent at p = 1: that is the plain case).
/// The growing parameter is as in `base` at p = 1. Usage error when the op lacks the parameter that
/// has to grow, or when it would overflow.
Params at_ranks(const Op& op, const Params& base, const ScalingSpec& spec, std::int64_t p);

}  // namespace bench::scaling
