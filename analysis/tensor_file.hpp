// SPDX-License-Identifier: Apache-2.0
// outputs/<case>.h5: what a kernel was given, tables of the problem among it, and what it gave, so that anyone can check it with another library.
#pragma once

#include <filesystem>
#include <span>

#include "kernels/problem.hpp"
#include "scaling/case.hpp"
#include "src/core/tensor.hpp"

namespace bench::analysis {

/// A dataset for each tensor, by its name and in its shape: float64 for fp64 tensors, float32 for all others (exact for bf16 and fp16); int64 for the
/// problem's tables. Attributes of
/// the file: `case`, `workload`, `kernel`, and the case's parameters, each by its name. Error(io) on failure.
void write_tensors(const scaling::Case& c, const Tensors& tensors, std::span<const IndexTable> tables, const std::filesystem::path& path);

}  // namespace bench::analysis
