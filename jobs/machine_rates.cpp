// SPDX-License-Identifier: Apache-2.0
#include "jobs/machine_rates.hpp"

#include "analysis/record.hpp"
#include "jobs/compute_rates.hpp"
#include "jobs/memory_rates.hpp"
#include "jobs/threads_rate.hpp"
#include "src/core/units.hpp"

namespace bench::jobs {

std::vector<MachineRate> machine_rates(std::int64_t cores, const Clock& clock) {
  std::vector<MachineRate> rates;
  const auto add = [&](std::string name, const char* unit, auto&& rate) {
    rates.push_back({std::move(name), unit, on_threads(1, rate), on_threads(cores, rate)});
  };
  for (const Isa isa : kAllIsas) {
    if (!has_isa(isa)) continue;
    add(concat("fp32 multiply-add, ", to_text(isa)), "FLOP/s", [&] { return fp32_rate(clock, isa); });
    add(concat("fp64 multiply-add, ", to_text(isa)), "FLOP/s", [&] { return fp64_rate(clock, isa); });
    add(concat("fp32 exp2, ", to_text(isa)), "1/s", [&] { return exp_rate(clock, isa); });
  }
  if (has_bf16_dot()) add("bf16 dot product, avx512_bf16", "FLOP/s", [&] { return bf16_dot_rate(clock); });
  for (const std::int64_t bytes : analysis::kTriadBytes) {
    add(concat("copy, ", format_bytes(bytes)), "byte/s", [&] { return copy_rate(clock, bytes); });
    add(concat("triad, ", format_bytes(bytes)), "byte/s", [&] { return triad_rate(clock, bytes); });
    add(concat("read, ", format_bytes(bytes)), "byte/s", [&] { return read_rate(clock, bytes); });
  }
  return rates;
}

}  // namespace bench::jobs
