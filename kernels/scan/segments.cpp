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
  problem.starts = parse_segments(params, problem.seq);
}

std::vector<IndexTable> scan_tables(const Problem& problem) {
  const auto& p = problem_as<ScanProblem>(problem);
  return {cu_seqlens(p.starts, p.seq)};
}

std::string needs_one_sequence(const Problem& problem) {
  const auto segments = problem_as<ScanProblem>(problem).starts.size() + 1;
  if (segments > 1) return concat("segments = ", segments, ": this kernel knows no packed sequences");
  return {};
}

}  // namespace bench::scan
