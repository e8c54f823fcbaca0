// SPDX-License-Identifier: Apache-2.0
// Which kernels there are, in this build or only by name, and which of them a sweep means.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "scaling/plan.hpp"
#include "scaling/study.hpp"

namespace bench::scaling {

/// A kernel that a sweep may name.
struct Candidate {
  std::string name;
  std::string op;                  // empty: a missing one whose name does not tell
  const Kernel* kernel = nullptr;  // null: not in this build
  std::string missing;             // then the reason
};

/// The op that a kernel's name tells: "<op>/..." or ".../<op>_..."; empty when it tells none.
std::string op_from_name(const std::string& kernel);

/// All kernels, registered or missing, sorted by name. A missing kernel's op is the one that its name tells.
std::vector<Candidate> all_candidates(const std::vector<MissingKernel>& missing);

/// Usage error with the nearest name when an entry of the filter that is a plain name, or any of `only`, fits
/// no kernel.
void check_filter(const KernelFilter& filter, const std::vector<Candidate>& all);

/// The kernels of one sweep, sorted by name: its own patterns, or the filter's `only`, less what include and
/// exclude take away. A pattern leaves out kernels that can do none of the sweep's passes; a plain name does not. Usage errors: a pattern of the sweep that fits no kernel of its op; a baseline that is
/// none.
std::vector<Candidate> choose_kernels(const Sweep& sweep, const KernelFilter& filter,
                                      const std::vector<Candidate>& all);

}  // namespace bench::scaling
