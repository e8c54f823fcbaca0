// SPDX-License-Identifier: Apache-2.0
// Replicas: every rank of the block runs its own copy of a one-rank case, started together, each seeing a
// group of one.
#include <gtest/gtest.h>

#include "tests/jobs/synthetic_rig.hpp"

namespace bench::jobs {
namespace {

scaling::Case replicated(const std::string& kernel, std::int64_t replicas) {
  scaling::Case c = toy::make_case(kernel, 1);
  c.params["replicas"] = replicas;
  c.ranks = replicas;
  return c;
}

TEST(Replicas, EachRankComputesAndChecksAWholeProblem) {
  const auto record = synthetic_visit({{}, {}, {}}, replicated("toy/right", 3));
  EXPECT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_EQ(record.ranks, 3);
  EXPECT_EQ(record.rank_time_s.size() % 3, 0U);
  EXPECT_EQ(record.rows_checked, 10) << "all ten positions, not a third of them";
  EXPECT_EQ(record.wire_bytes, 0) << "copies have nothing to tell each other";
}

/// toy/wrong_on_last_rank is wrong on the last rank of the group that it sees: of a group of one that is
/// every copy.
TEST(Replicas, SeeAGroupOfOne) {
  EXPECT_EQ(synthetic_visit({{}, {}}, replicated("toy/wrong_on_last_rank", 2)).outcome,
            Outcome::wrong_result);
}

TEST(Replicas, KeepTheSlowerCopysOwnTime) {
  RankScript slow;
  slow.extra = [](std::int64_t) { return 1e-3; };  // every call takes 2 ms there and 1 ms here
  const auto record = synthetic_visit({{}, slow}, replicated("toy/right", 2));
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  for (std::size_t i = 0; i + 1 < record.rank_time_s.size(); i += 2) {
    EXPECT_NEAR(record.rank_time_s[i], 1e-3, 1e-5);
    EXPECT_NEAR(record.rank_time_s[i + 1], 2e-3, 1e-5);
  }
}

}  // namespace
}  // namespace bench::jobs
