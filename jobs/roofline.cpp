// SPDX-License-Identifier: Apache-2.0
#include "jobs/roofline.hpp"

#include <algorithm>

#include "jobs/compute_rates.hpp"
#include "jobs/link_rates.hpp"
#include "jobs/memory_rates.hpp"
#include "jobs/team.hpp"
#include "jobs/threads_rate.hpp"

namespace bench::jobs {
analysis::Limits measure_limits(std::int64_t threads, const Clock& clock) {
  analysis::Limits limits;
  limits.fp32_flops_per_s = on_threads(threads, [&] { return fp32_rate(clock); });
  limits.fp64_flops_per_s = on_threads(threads, [&] { return fp64_rate(clock); });
  // Some CPUs issue the dot product at a quarter of their fp32 rate; converting to fp32 is then the faster way, and the honest limit.
  limits.bf16_flops_per_s = std::max(limits.fp32_flops_per_s, on_threads(threads, [&] { return bf16_dot_rate(clock); }));
  limits.exps_per_s = on_threads(threads, [&] { return exp_rate(clock); });
  for (std::size_t i = 0; i < analysis::kTriadBytes.size(); ++i) {
    limits.triad_bytes_per_s[i] = on_threads(threads, [&] { return triad_rate(clock, analysis::kTriadBytes[i]); });
    limits.read_bytes_per_s[i] = on_threads(threads, [&] { return read_rate(clock, analysis::kTriadBytes[i]); });
  }
  return limits;
}

analysis::Limits measure_limits_of(Link& link, std::int64_t threads, const Clock& clock) {
  link.barrier();
  const analysis::Limits mine = measure_limits(threads, clock);
  analysis::Limits sum;
  for (const analysis::Limits& limits : all_of(link, mine)) sum = sum_of(sum, limits);
  const LinkRates rates = measure_link(link, clock);
  sum.link_latency_s = rates.latency_s;
  sum.link_bytes_per_s = rates.bytes_per_s;
  return sum;
}

}  // namespace bench::jobs
