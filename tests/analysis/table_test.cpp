// SPDX-License-Identifier: Apache-2.0
#include "analysis/table.hpp"

#include <gtest/gtest.h>

#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

TEST(UntimedSection, SaysAReasonOnceHoweverManyKernelsShareIt) {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  for (const char* kernel : {"e", "d", "c", "b", "a", "a"}) {  // a has two cases
    scaling::Case c = synthetic_case("attention", kernel, 1);
    c.id += std::to_string(run.cases.size());
    c.planned = Outcome::skipped;
    c.reason = std::string(kernel) == "e" ? "too long" : "no device";
    run.cases.push_back(c);
  }
  const auto rows = untimed_section(run, make_results(run)).table.rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"skipped", "attention/a, attention/b, attention/c and 1 more", "5", "no device"}));
  EXPECT_EQ(rows[1], (std::vector<std::string>{"skipped", "attention/e", "1", "too long"}));
}

}  // namespace
}  // namespace bench::analysis
