// SPDX-License-Identifier: Apache-2.0
// Collectives made of posts, over threads: what the laws of a link do not ask. Whole numbers hide the order of a sum; these do not.
#include "src/core/by_posts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "src/comm/link_threads.hpp"
#include "src/core/rng.hpp"
#include "tests/support/link_laws.hpp"

namespace bench {
namespace {

/// Values whose sums round: N(0, 1) by element and rank.
Tensor noise(DType dtype, std::int64_t count, int rank) {
  const CounterRng rng(1, "noise of rank " + std::to_string(rank));
  return test::law_tensor(dtype, 1, count, [&](int, std::int64_t i) { return rng.normal(static_cast<std::uint64_t>(i)); });
}

std::string bytes_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()), static_cast<std::size_t>(tensor.bytes())};
}

class ByPosts : public ::testing::TestWithParam<int> {
 protected:
  /// The results of all ranks, each of `runs` times over.
  template <class Call>
  std::multiset<std::string> results(int runs, Call&& call) {
    std::multiset<std::string> all;
    std::mutex mutex;
    for (int run = 0; run < runs; ++run)
      comm::run_on_threads(GetParam(), [&](Link& link) {
        const std::string mine = call(link);
        const std::lock_guard lock(mutex);
        all.insert(mine);
      });
    return all;
  }
};

// 8 KiB in all is where the forms change: just below for 1 to 8 ranks, and above for all.
TEST_P(ByPosts, AnAllreduceHasTheSameBitsOnEveryRankAndInEveryRun) {
  for (const DType dtype : test::kElementTypes)
    for (const std::int64_t count : {1, 127, 9001}) {
      const auto all = results(3, [&](Link& link) {
        Tensor mine = noise(dtype, count, link.rank()), sum = test::law_room(dtype, 1, count);
        by_posts::allreduce(link, dtype, test::law_bytes(mine), test::law_bytes(sum));
        return bytes_of(sum);
      });
      EXPECT_EQ(all.count(*all.begin()), all.size()) << to_text(dtype) << ", " << count;
    }
}

TEST_P(ByPosts, AReduceScatterHasTheSameBitsInEveryRun) {
  for (const DType dtype : test::kElementTypes)
    for (const std::int64_t each : {1, 100, 5'001}) {
      const auto all = results(3, [&](Link& link) {
        Tensor mine = noise(dtype, each * link.size(), link.rank()), share = test::law_room(dtype, 1, each);
        by_posts::reduce_scatter(link, dtype, test::law_bytes(mine), test::law_bytes(share));
        return std::to_string(link.rank()) + ' ' + bytes_of(share);
      });
      for (const std::string& result : all) EXPECT_EQ(all.count(result), 3U) << to_text(dtype) << ", shares of " << each;
    }
}

// P - 1 sums of N(0, 1) in fp32, each rounded by half an eps of at most 8.
TEST_P(ByPosts, SumsOfNumbersThatRoundAreNearThoseInFp64) {
  for (const std::int64_t count : {127, 9001})
    comm::run_on_threads(GetParam(), [&](Link& link) {
      Tensor mine = noise(DType::f32, count, link.rank()), sum = test::law_room(DType::f32, 1, count);
      by_posts::allreduce(link, DType::f32, test::law_bytes(mine), test::law_bytes(sum));
      Tensor exact(DType::f64, {1, count});
      for (std::int64_t i = 0; i < count; ++i) exact.set(i, 0.0);
      for (int r = 0; r < link.size(); ++r) {
        const Tensor theirs = noise(DType::f32, count, r);
        for (std::int64_t i = 0; i < count; ++i) exact.set(i, exact.at(i) + theirs.at(i));
      }
      for (std::int64_t i = 0; i < count; ++i)
        EXPECT_NEAR(sum.at(i), exact.at(i), 4.0 * link.size() * epsilon_of(DType::f32)) << "element " << i << " on rank " << link.rank();
    });
}

/// What the table in by_posts.hpp says of messages and bytes, where P - 1 does not divide the array.
TEST_P(ByPosts, SendWhatTheTableSays) {
  comm::run_on_threads(GetParam(), [](Link& link) {
    const auto p = static_cast<std::int64_t>(link.size()), me = static_cast<std::int64_t>(link.rank());
    const std::int64_t count = 9001, short_count = 20;
    const auto sent = [&](std::int64_t n) {
      Tensor mine = noise(DType::f32, n, link.rank()), sum = test::law_room(DType::f32, 1, n);
      const std::int64_t before = link.bytes_sent();
      by_posts::allreduce(link, DType::f32, test::law_bytes(mine), test::law_bytes(sum));
      return link.bytes_sent() - before;
    };
    const auto chunk = [&](std::int64_t r) { return count / p + (r % p < count % p ? 1 : 0); };
    EXPECT_EQ(sent(count), p == 1 ? 0 : 4 * (2 * count - chunk(me) - chunk(me + 1))) << "all chunks but two";
    EXPECT_EQ(sent(short_count), 4 * short_count * (p - 1));
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, ByPosts, ::testing::Values(1, 2, 3, 4, 5, 8), [](const auto& ranks) { return "on_" + std::to_string(ranks.param); });

}  // namespace
}  // namespace bench
