// SPDX-License-Identifier: Apache-2.0
#include "scaling/glob.hpp"

#include <gtest/gtest.h>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

TEST(Glob, APlainNameMatchesOnlyItself) {
  EXPECT_TRUE(is_plain_name("attention/naive_cpu"));
  EXPECT_TRUE(matches("attention/naive_cpu", "attention/naive_cpu"));
  EXPECT_FALSE(matches("attention/naive", "attention/naive_cpu"));
  EXPECT_FALSE(matches("attention/naive_cpu2", "attention/naive_cpu"));
}

TEST(Glob, AStarStandsForAnyRunSlashesToo) {
  EXPECT_TRUE(matches("attention/*", "attention/naive_cpu"));
  EXPECT_TRUE(matches("*_torch", "attention/sdpa_math_torch"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a*b*c", "a_b_b_c"));  // the last star has to give ground
  EXPECT_TRUE(matches("**x**", "x"));
  EXPECT_FALSE(matches("a*b*c", "a_b_b_d"));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Glob, AQuestionMarkStandsForOneCharacter) {
  EXPECT_TRUE(matches("sc?n/x", "scan/x"));
  EXPECT_FALSE(matches("sc?n/x", "scaan/x"));
  EXPECT_FALSE(matches("?", ""));
}

TEST(Glob, DotsAndBracketsAreThemselves) {
  EXPECT_FALSE(matches("a.c", "abc"));
  EXPECT_TRUE(matches("[a]", "[a]"));
}

TEST(Glob, AManyStarredPatternIsNotSlow) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";  // 200: a backtracking matcher would never end
  EXPECT_FALSE(matches(pattern + "*b", std::string(5000, 'a')));
}

TEST(Glob, ARegularExpressionIsSearchedFor) {
  EXPECT_TRUE(matches("re:flash|ring", "attention/ring_cpu"));
  EXPECT_TRUE(matches("re:^scan/.*_cpu$", "scan/recurrence_cpu"));
  EXPECT_FALSE(matches("re:^ring", "attention/ring_cpu"));
  EXPECT_FALSE(is_plain_name("re:abc"));
}

TEST(Glob, ABadRegularExpressionIsAUsageError) {
  for (const std::string& bad :
       {std::string("re:("), std::string("re:[a"), std::string("re:*"), "re:" + std::string(201, 'a')}) {
    try {
      matches(bad, "x");
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << error.what();
    }
  }
}

TEST(Glob, AListMatchesWhenOneOfItDoes) {
  EXPECT_TRUE(matches_any({"a", "b*"}, "bc"));
  EXPECT_FALSE(matches_any({"a", "b*"}, "c"));
  EXPECT_FALSE(matches_any({}, "c"));
}

}  // namespace
}  // namespace bench::scaling
