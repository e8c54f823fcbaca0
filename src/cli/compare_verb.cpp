// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "analysis/compare/criteria.hpp"
#include "analysis/compare/policy.hpp"
#include "analysis/compare/comparison_text.hpp"
#include "analysis/compare/sides.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/read_side.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {

int compare_verb(const Options& options) {
  const CompareOptions& wanted = options.compare;
  const analysis::Side base = side_of(wanted.sides.front());
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::size_t joined = 0;
  for (std::size_t i = 1; i < wanted.sides.size(); ++i) {
    const analysis::Side now = side_of(wanted.sides[i]);
    analysis::Comparison comparison = analysis::compare(base, now, wanted.rule());
    if (!wanted.policy.empty()) {
      const analysis::Policy policy = analysis::load_policy(wanted.policy);
      comparison = analysis::compare(base, now, policy.compare);
      analysis::apply_criteria(comparison, base, now, policy.criteria);
    }
    require_one_environment(comparison, wanted.across_environments);
    joined += comparison.joined;
    if (options.json) all.push_back(analysis::to_json(comparison));
    else std::cout << analysis::comparison_text(comparison);
  }
  if (options.json) std::cout << all.dump(2) << '\n';
  if (joined == 0) throw Error(ErrorKind::no_match, "nothing to compare: the sides have no measured case in common");
  return kAllMeasured;
}

}  // namespace bench::cli
