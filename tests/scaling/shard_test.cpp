// SPDX-License-Identifier: Apache-2.0
#include "scaling/shard.hpp"

#include <gtest/gtest.h>

#include "scaling/identity.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

std::vector<Case> cases(std::size_t count) {
  std::vector<Case> list(count);
  for (std::size_t i = 0; i < count; ++i) list[i].id = case_id({{"number", static_cast<std::int64_t>(i)}});
  return list;
}

TEST(Shard, TheRuleIsTheFirst64BitsModuloTheCount) {
  const std::string id = "00000000000000ffaaaaaaaaaaaaaaaa";  // 255 = 15 modulo 16, 3 modulo 4
  EXPECT_TRUE(belongs_to({.index = 15, .count = 16}, id));
  EXPECT_TRUE(belongs_to({.index = 3, .count = 4}, id));
  EXPECT_FALSE(belongs_to({.index = 2, .count = 4}, id));
  EXPECT_TRUE(belongs_to({}, id));
  // beyond 2^63: 0xffffffffffffffff = 0 modulo 3
  EXPECT_TRUE(belongs_to({.index = 0, .count = 3}, "ffffffffffffffff0000000000000000"));
}

TEST(Shard, EveryCaseIsInExactlyOneShard) {
  for (const std::int64_t count : {1, 2, 3, 7, 64}) {  // 64: more shards than some have cases
    std::size_t sum = 0;
    for (std::int64_t index = 0; index < count; ++index) {
      auto mine = cases(100);
      keep_shard(mine, {.index = index, .count = count});
      sum += mine.size();
    }
    EXPECT_EQ(sum, 100u) << count << " shards";
  }
}

TEST(Shard, ShardsAreOfLikeSize) {
  // 4000 cases on 4: 1000 each expected, standard deviation 27; 5 of them is 137
  for (std::int64_t index = 0; index < 4; ++index) {
    auto mine = cases(4000);
    keep_shard(mine, {.index = index, .count = 4});
    EXPECT_NEAR(static_cast<double>(mine.size()), 1000.0, 137.0);
  }
}

TEST(Shard, TheOrderOfTheCasesStays) {
  const auto all = cases(50);
  auto mine = all;
  keep_shard(mine, {.index = 1, .count = 2});
  auto at = all.begin();
  for (const Case& c : mine) {
    at = std::find_if(at, all.end(), [&](const Case& other) { return other.id == c.id; });
    ASSERT_NE(at, all.end());
  }
}

TEST(Shard, ATextThatIsNoShardIsAUsageError) {
  EXPECT_EQ(parse_shard("2/16").index, 2);
  EXPECT_EQ(parse_shard("2/16").count, 16);
  for (const char* bad :
       {"", "3", "4/4", "-1/4", "0/0", "1/2/3", "a/4", "1/4x", " 1/4", "0/9999999", "/4", "1/"}) {
    try {
      parse_shard(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(e.what()).find("I/N"), std::string::npos);
    }
  }
  EXPECT_THROW(belongs_to({}, "short"), Error);
  EXPECT_THROW(belongs_to({}, "zzzzzzzzzzzzzzzzaaaaaaaaaaaaaaaa"), Error);
}

}  // namespace
}  // namespace bench::scaling
