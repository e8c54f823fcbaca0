// SPDX-License-Identifier: Apache-2.0
// results.h5, made from a run's records. The layout is docs/hdf5.md; the same records always give the same bytes.
#pragma once

#include <filesystem>

#include "analysis/record.hpp"

namespace bench::analysis {

/// Raised when a column changes its meaning or goes; a new one leaves it as it is.
inline constexpr std::int64_t kStoreSchema = 2;  // 1 had no /visits

/// Writes beside `path` and renames, so that there is always a whole, readable file. Error(io) on failure.
void write_store(const RunRecord& run, const std::filesystem::path& path);

/// Reads a results.h5 back: all that the statistics need, so that writing it again gives the same bytes. What no column holds is left at its
/// default: a case's sweeps and estimates. The check of a visit comes back as the worst of its case.
/// Error(io) for a file that is damaged, foreign or of a newer schema.
RunRecord read_store(const std::filesystem::path& path);

}  // namespace bench::analysis
