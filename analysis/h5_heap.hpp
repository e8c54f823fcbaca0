// SPDX-License-Identifier: Apache-2.0
// The one part of a file that HDF5 1.10 reads without a checksum or a bound: the global heaps that hold text of variable length. A damaged
// size there makes it copy from anywhere, so the sizes are looked at before the library opens the file.
#pragma once

#include <filesystem>
#include <span>

namespace bench::analysis::h5 {

/// Error(io) when a heap's objects do not fill it exactly ("Global Heap", HDF5 file format specification 3.0, III.E).
void check_text_heaps(std::span<const char> file);
void check_text_heaps(const std::filesystem::path& path);

}  // namespace bench::analysis::h5
