// SPDX-License-Identifier: Apache-2.0
#include "scaling/weak.hpp"

#include <gtest/gtest.h>

#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

const Op& op(const char* name) {
  return *Registry<Op>::instance().find(name);
}

ScalingSpec weak(const std::string& by) {
  return {.mode = "weak", .by = by, .ranks = {1, 2, 4}};
}

Params with_seq(std::int64_t seq) {
  Params params = toy::toy_params();
  params["seq"] = seq;
  return params;
}

TEST(Weak, StrongScalingChangesNothingButTheRanks) {
  const Params at =
      at_ranks(op("toy_pairs"), with_seq(1000), {.mode = "strong", .by = "", .ranks = {1, 8}}, 8);
  Params expected = with_seq(1000);
  expected["ranks"] = std::int64_t{8};
  EXPECT_EQ(at, expected);
}

TEST(Weak, ByBatchTheBatchGrowsWithTheRanks) {
  const Params at = at_ranks(op("toy_pairs"), with_seq(512), weak("batch"), 4);
  EXPECT_EQ(get_int(at, "batch"), 4);
  EXPECT_EQ(get_int(at, "seq"), 512);
}

TEST(Weak, ByTokensTheSequenceGrowsWithTheRanks) {
  EXPECT_EQ(get_int(at_ranks(op("toy_pairs"), with_seq(512), weak("tokens"), 4), "seq"), 2048);
}

TEST(Weak, ByFlopsAQuadraticOpGrowsWithTheRoot) {
  EXPECT_EQ(get_int(at_ranks(op("toy_pairs"), with_seq(8192), weak("flops"), 4), "seq"),
            16384);  // the exact root
  EXPECT_EQ(get_int(at_ranks(op("toy_pairs"), with_seq(2048), weak("flops"), 2), "seq"),
            2880);  // 2896.3 -> 45 * 64
  EXPECT_EQ(get_int(at_ranks(op("toy_pairs"), with_seq(10), weak("flops"), 2), "seq"),
            64);  // never zero tiles
}

TEST(Weak, ByFlopsALinearOpGrowsWithTheRanks) {
  EXPECT_EQ(get_int(at_ranks(op("toy_line"), with_seq(1000), weak("flops"), 3), "seq"), 3000);
}

TEST(Weak, TheBasePointIsNotRounded) {
  EXPECT_EQ(get_int(at_ranks(op("toy_pairs"), with_seq(1001), weak("flops"), 1), "seq"), 1001);
}

TEST(Weak, TheOrderComesFromTheCostModel) {
  EXPECT_NEAR(flops_order(op("toy_pairs"), toy::toy_params()), 2.0, 1e-12);
  EXPECT_NEAR(flops_order(op("toy_line"), toy::toy_params()), 1.0, 1e-12);
}

TEST(Weak, AnOverflowIsAUsageError) {
  EXPECT_THROW(at_ranks(op("toy_line"), with_seq(std::int64_t{1} << 40), weak("tokens"), 2), Error);
}

}  // namespace
}  // namespace bench::scaling
