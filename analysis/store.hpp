// SPDX-License-Identifier: Apache-2.0
// results.h5, made from a run's records. The layout is docs/hdf5.md; the same records always give the same bytes.
#pragma once

#include <filesystem>

#include "analysis/record.hpp"

namespace bench::analysis {

/// Writes beside `path` and renames, so that there is always a whole, readable file. Error(io) on failure.
void write_store(const RunRecord& run, const std::filesystem::path& path);

}  // namespace bench::analysis
