// SPDX-License-Identifier: Apache-2.0
// The machine's rates are measured once and kept: $XDG_CACHE_HOME/bench_scale (else ~/.cache/bench_scale), a file for each kind of machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/machine_rates.hpp"

namespace bench::cli {

struct KeptRates {
  std::string measured_utc;
  std::vector<jobs::MachineRate> rates;
};

/// What identifies a machine here: CPU model, cores allowed, instruction sets in use, program version.
std::string rates_key(const std::string& cpu_model, std::int64_t cores);

/// Nothing when they were never measured, or the file cannot be read.
std::optional<KeptRates> kept_rates(const std::string& key);
/// Best effort: a home that cannot be written to is no error.
void keep_rates(const std::string& key, const KeptRates& rates);

}  // namespace bench::cli
