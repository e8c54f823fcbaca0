// SPDX-License-Identifier: Apache-2.0
// One case: one implementation on one problem at one rank count. What is computed makes its identity;
// everything else here is what the planner found out about it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "src/core/outcome.hpp"
#include "src/core/params.hpp"

namespace bench::scaling {

/// Membership of a case in a scaling study: a view over cases, not a second measurement.
struct ScalingTag {
  std::string study;   // "<study name>/<sweep name>"
  std::string mode;    // strong | weak | throughput
  std::string by;      // what grows with the ranks in a weak study: batch | tokens | flops; empty when strong
  std::string series;  // cases of one curve share it: case_id of the parameters at one rank
  std::int64_t base = 0;  // rank count wished for as the base; 0: the smallest that ran

  bool operator==(const ScalingTag&) const = default;
};

/// Membership of a case in the first of two sweeps whose crossover is asked for.
struct CrossoverTag {
  std::string sweep, against;  // each "<study name>/<sweep name>"
  std::string along;           // the parameter

  bool operator==(const CrossoverTag&) const = default;
};

/// Who may run beside a case (spec: isolation tokens). `node`: nothing else on its nodes; `none`: anything.
enum class Isolation : std::uint8_t { node, none };

struct Case {
  std::string id;  // 32 hex: SHA-256 of the canonical JSON of `params` plus op and kernel
  std::string op;
  std::string kernel;
  Params params;           // every parameter of the op and the common ones, defaults included
  std::int64_t ranks = 1;  // width: how many ranks it needs: params["ranks"], or params["replicas"] of one-rank copies
  std::int64_t threads = 1;
  Isolation isolation = Isolation::node;
  Cost cost;                      // of the op, all ranks (and replicas) together
  std::int64_t memory_bytes = 0;  // estimate per rank: shares of inputs and outputs, workspace, and the check
  double estimate_s = 0.0;        // of one call, from cost and nominal rates: orders the plan, never a result
  Outcome planned = Outcome::ok;  // ok: to be measured; skipped or infeasible: a row with `reason`
  std::string reason;
  std::string baseline;             // kernel that speed-up is taken over, from the study; may be empty
  std::vector<std::string> sweeps;  // "<study>/<sweep>" this case belongs to
  std::vector<ScalingTag> scaling;
  std::vector<CrossoverTag> crossovers = {};
};

}  // namespace bench::scaling
