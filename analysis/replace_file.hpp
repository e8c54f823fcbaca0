// SPDX-License-Identifier: Apache-2.0
// A file that is whole at every moment: the old one or the new one.
#pragma once

#include <filesystem>
#include <span>

namespace bench::analysis {

/// Writes beside `path`, syncs and renames. Error(io) on failure; a file that was at `path` then stays as it was.
void replace_file(const std::filesystem::path& path, std::span<const char> bytes);

}  // namespace bench::analysis
