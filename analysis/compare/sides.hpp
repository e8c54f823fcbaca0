// SPDX-License-Identifier: Apache-2.0
// From files to a side of a comparison, whatever program wrote them.
#pragma once

#include <filesystem>
#include <vector>

#include "analysis/compare/side.hpp"

namespace bench::analysis {

/// The files an argument stands for: a file is itself; a folder is every results.h5 below it, sorted, hidden
/// files and folders skipped, links to folders not followed. Error(usage) for what does not exist and for a
/// folder without any; Error(io) for a folder that cannot be listed.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& argument);

/// Reads files (and folders, by files_of) as the launches of one program. Each is told by its content: HDF5
/// is ours, JSON is Google Benchmark's, hyperfine's or HF benchmark_v2's by its keys. Of the same case in
/// several files: times and samples of all; the worst outcome with its reason; the largest error (NaN above
/// all), the smallest tolerance that is known, the most memory; the median of every metric; the distinct
/// values of each part of the environment, sorted, with " | " between. Times are as the files have them: 0
/// or, from HDF5, NaN can be among them, for the comparison to call invalid. Error(io) that names the file
/// and what was expected of it. Error(usage) when there is no file, or when a launch is given twice (the same
/// file, or the same run under two names): counted twice it would look like two independent launches.
Side read_side(const std::vector<std::filesystem::path>& files);

}  // namespace bench::analysis
