// SPDX-License-Identifier: Apache-2.0
// The lines of a recurrence with time last, shared out to threads and run with the widest instruction set.
#pragma once

#include <cstdint>

#include "kernels/isa.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

template <class Job>
BS_TARGET_AVX512 void run_lines_avx512(const Job& job, Range lines) {
  job.template run<simd::F32x16>(lines);
  BS_LEAVE_WIDE_VECTORS();
}
template <class Job>
BS_TARGET_AVX2 void run_lines_avx2(const Job& job, Range lines) {
  job.template run<simd::F32x8>(lines);
  BS_LEAVE_WIDE_VECTORS();
}
template <class Job>
void run_lines_plain(const Job& job, Range lines) {
  job.template run<simd::F32x4>(lines);
}

/// Calls job.run<V>(lines) on every thread of the problem with its share of the B C lines.
template <class Job>
void run_lines(const RecurrenceProblem& p, const Job& job) {
  const Isa isa = best_isa();
  const auto run = isa == Isa::avx512 ? run_lines_avx512<Job> : isa == Isa::avx2 ? run_lines_avx2<Job> : run_lines_plain<Job>;
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const FlushDenormals flush;
    run(job, part_of(p.batch * p.channels, 16, p.threads, part));
  }
}

}  // namespace bench::scan
