// SPDX-License-Identifier: Apache-2.0
#include "analysis/halved_flops.hpp"

#include <gtest/gtest.h>

#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

scaling::Case attention(bool causal, std::int64_t seq, std::int64_t kv_seq) {
  scaling::Case c = synthetic_case("attention", "any", 1);
  c.params["batch"] = std::int64_t{2};
  c.params["heads"] = std::int64_t{16};
  c.params["head_dim"] = std::int64_t{128};
  c.params["causal"] = causal;
  c.params["seq"] = seq;
  c.params["kv_seq"] = kv_seq;
  return c;
}

TEST(HalvedFlops, CountHalfTheSquareOfACausalProblem) {
  // FlashAttention's benchmark at batch 2, 16 heads of 128, 8k: 4 x 2 x 8192^2 x 16 x 128 = 1.0995e12, causal half of that.
  EXPECT_DOUBLE_EQ(halved_flops(attention(false, 8192, 0)).value(), 1099511627776.0);
  EXPECT_DOUBLE_EQ(halved_flops(attention(true, 8192, 0)).value(), 549755813888.0);
}

TEST(HalvedFlops, CountTwoAndAHalfTimesThatBackward) {
  scaling::Case c = attention(true, 8192, 0);
  c.params["pass"] = std::string("bwd");
  EXPECT_DOUBLE_EQ(halved_flops(c).value(), 2.5 * 549755813888.0);
}

TEST(HalvedFlops, TakeTheMeanLengthWithOtherKeysThanQueries) {
  const double each = 4.0 * 2 * 16 * 128 * 512;  // per key
  EXPECT_DOUBLE_EQ(halved_flops(attention(false, 512, 4096)).value(), each * 4096);
  EXPECT_DOUBLE_EQ(halved_flops(attention(true, 512, 4096)).value(), each * (3584 + 4096) / 2);
  EXPECT_DOUBLE_EQ(halved_flops(attention(true, 512, 256)).value(), each * 128) << "fewer keys than queries: max(0, Lk - L)";
}

TEST(HalvedFlops, AreNotThereWhereThereIsNoConvention) {
  scaling::Case c = attention(true, 512, 0);
  c.params["window"] = std::int64_t{64};
  EXPECT_FALSE(halved_flops(c));
  c.params["window"] = std::int64_t{0};
  EXPECT_TRUE(halved_flops(c));
  c.params["key_lengths"] = std::string("ragged");
  EXPECT_FALSE(halved_flops(c));
  EXPECT_FALSE(halved_flops(synthetic_case("recurrence", "any", 1)));
}

}  // namespace
}  // namespace bench::analysis
