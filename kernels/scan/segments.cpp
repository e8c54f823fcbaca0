// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/segments.hpp"

#include "kernels/ragged.hpp"

namespace bench::scan {

ParamSpec segments_param() {
  return {"segments", std::int64_t{1}, "sequences packed along the steps, cut at random; each but the first starts from a zero state"};
}

void parse_scan(const Params& params, ScanProblem& problem) {
  parse_common(params, problem);
  problem.batch = positive(params, "batch");
  problem.seq = positive(params, "seq");
  const std::int64_t segments = positive(params, "segments");
  if (segments > problem.seq) usage_error(concat("segments = ", segments, "; allowed: 1 to seq = ", problem.seq));
  problem.starts = ragged_cuts(segments - 1, problem.seq);
}

std::vector<IndexTable> scan_tables(const Problem& problem) {
  const auto& p = problem_as<ScanProblem>(problem);
  IndexTable table{"cu_seqlens", {static_cast<std::int64_t>(p.starts.size()) + 2}, {0}};
  table.values.insert(table.values.end(), p.starts.begin(), p.starts.end());
  table.values.push_back(p.seq);
  return {table};
}

std::string needs_one_sequence(const Problem& problem) {
  const auto segments = problem_as<ScanProblem>(problem).starts.size() + 1;
  if (segments > 1) return concat("segments = ", segments, ": this kernel knows no packed sequences");
  return {};
}

}  // namespace bench::scan
