// SPDX-License-Identifier: Apache-2.0
// Where LibTorch may be on a machine that this program was not built on: the folders of its libraries, found by environment variables and the
// usual places of Python packages.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bench::cli {

/// The folder of LibTorch's libraries inside what a person names: the package `torch`, an unpacked LibTorch, or that folder itself. Empty where there is
/// none.
std::filesystem::path torch_libraries_in(const std::filesystem::path& named);

/// Such folders in the Python environments that one would use here: the active one, those on PATH and PYTHONPATH, the user's, the machine's. Asks python3
/// itself only where none of these has any.
std::vector<std::filesystem::path> torch_libraries_of_python();

/// As torch/version.py or LibTorch's build-version says it, e.g. 2.11.0+cu130; empty where neither does.
std::string torch_version(const std::filesystem::path& libraries);

}  // namespace bench::cli
