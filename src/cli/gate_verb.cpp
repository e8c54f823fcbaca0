// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iostream>

#include "analysis/compare/comparison_text.hpp"
#include "analysis/compare/criteria.hpp"
#include "analysis/compare/gate.hpp"
#include "analysis/compare/gate_output.hpp"
#include "analysis/compare/policy.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/read_side.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {
namespace {

void write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream out(path, std::ios::binary);
  out << text << std::flush;
  if (!out) throw Error(ErrorKind::io, concat("cannot write '", path, "'"));
}

}  // namespace

int gate_verb(const Options& options) {
  const CompareOptions& wanted = options.compare;
  const analysis::Policy policy = wanted.policy.empty() ? analysis::Policy{} : analysis::load_policy(wanted.policy);
  const analysis::Side base = side_of(wanted.sides[0]), now = side_of(wanted.sides[1]);
  analysis::Comparison comparison = analysis::compare(base, now, policy.compare);
  require_one_environment(comparison, wanted.across_environments);
  analysis::apply_criteria(comparison, base, now, policy.criteria);
  const analysis::GateResult result = analysis::gate(comparison, policy);
  write_file(wanted.junit, analysis::to_junit(result, comparison));
  write_file(wanted.markdown, analysis::to_markdown_comment(result, comparison));
  if (options.json) std::cout << analysis::to_json(comparison).dump(2) << '\n';
  else std::cout << analysis::comparison_text(comparison);
  std::cerr << "gate: " << result.headline << '\n';
  for (const analysis::GateRow& row : result.rows)
    if (analysis::fails(row, policy)) std::cerr << concat("  ", row.name, ": ", analysis::to_text(row.state), ": ", row.reason, '\n');
  return result.passed ? kAllMeasured : kRegression;
}

}  // namespace bench::cli
