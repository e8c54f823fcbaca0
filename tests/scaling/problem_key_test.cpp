// SPDX-License-Identifier: Apache-2.0
// Which cases have one answer, so that the oracle is asked once.
#include <gtest/gtest.h>

#include "scaling/parameters.hpp"

namespace bench::scaling {
namespace {

std::string key(const std::string& op, std::int64_t ranks, const std::string& link) {
  Params params = default_params(require_op(op));
  params["ranks"] = ranks;
  params["link"] = link;
  return problem_key(op, params);
}

TEST(ProblemKey, LeavesOutHowRanksShareAProblem) {
  EXPECT_EQ(key("recurrence", 1, "mpi"), key("recurrence", 4, "mpi-shm"));
}

TEST(ProblemKey, KeepsTheRanksWhoseDataAreTheProblem) {
  EXPECT_EQ(key("collective", 2, "mpi"), key("collective", 2, "mpi-shm"));
  EXPECT_NE(key("collective", 2, "mpi"), key("collective", 4, "mpi"));
}

}  // namespace
}  // namespace bench::scaling
