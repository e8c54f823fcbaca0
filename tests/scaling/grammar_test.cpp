// SPDX-License-Identifier: Apache-2.0
// Axis texts: what they mean, what is refused, and that no text crashes the parser.
#include "scaling/grammar.hpp"

#include <gtest/gtest.h>

#include <random>

#include "scaling/nearest.hpp"
#include "scaling/value.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

std::vector<Value> integers(const std::vector<std::int64_t>& numbers) {
  return {numbers.begin(), numbers.end()};
}

struct Good {
  const char* text;
  std::vector<Value> values;
};
class GoodRange : public testing::TestWithParam<Good> {};

TEST_P(GoodRange, GivesItsValuesInOrder) {
  EXPECT_EQ(parse_range(GetParam().text), GetParam().values);
}

const std::int64_t kLargest = INT64_MAX;

INSTANTIATE_TEST_SUITE_P(
    Grammar, GoodRange,
    testing::Values(
        Good{"7", integers({7})},                              // one value
        Good{"128..1024*2", integers({128, 256, 512, 1024})},  // hi is hit
        Good{"1k..5k*2", integers({1024, 2048, 4096})},        // hi is not hit
        Good{"0..64+16", integers({0, 16, 32, 48, 64})},       // arithmetic may start at 0
        Good{"-4..4+3", integers({-4, -1, 2})},                // and below
        Good{"5..5*2", integers({5})},                         // lo = hi
        Good{"1-32*2", integers({1, 2, 4, 8, 16, 32})},        // llama-bench, geometric
        Good{"0-64+16", integers({0, 16, 32, 48, 64})},        // llama-bench, arithmetic
        Good{"1k,2K,1m,1M,1g", integers({1024, 2048, 1 << 20, 1 << 20, 1 << 30})},  // every suffix
        Good{" { 1 , 2..8 * 2 } ", integers({1, 2, 4, 8})},  // braces, blanks, mixed list
        Good{"3,1,3", integers({3, 1, 3})},                  // neither sorted nor merged
        Good{"-5", integers({-5})},                          // a minus is not a range
        Good{"4611686018427387904..9223372036854775807*2", integers({1LL << 62})},  // next would overflow
        Good{"9223372036854775806..9223372036854775807+1", integers({kLargest - 1, kLargest})},  // same for +
        Good{"true,false", {true, false}},                                                       // booleans
        Good{"bf16, fp32", {std::string("bf16"), std::string("fp32")}},                          // words
        Good{"'true','1k','a,b','it''s',\"x\"",  // quotes make texts of anything
             {std::string("true"), std::string("1k"), std::string("a,b"), std::string("it's"),
              std::string("x")}},
        Good{"attention/sdpa_*_torch,a-1+2", {std::string("attention/sdpa_*_torch"), std::string("a-1+2")}}));

struct Bad {
  const char* text;
  const char* says;  // part of the message
};
class BadRange : public testing::TestWithParam<Bad> {};

TEST_P(BadRange, IsAUsageErrorThatSaysWhy) {
  try {
    parse_range(GetParam().text);
    FAIL() << "accepted " << GetParam().text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(GetParam().says), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Grammar, BadRange,
    testing::Values(Bad{"", "no value"}, Bad{"  ", "no value"}, Bad{"{}", "no value"}, Bad{"{1,2", "'}'"},
                    Bad{"1,,2", "empty"}, Bad{"1,", "empty"}, Bad{"8..4*2", "hi (4) is below lo (8)"},
                    Bad{"1..8*1", "factor 1 is below 2"}, Bad{"1..8*0", "factor 0 is below 2"},
                    Bad{"1..8*-2", "factor -2"}, Bad{"0..8*2", "lo (0) is below 1"},  // would never end
                    Bad{"0..8+0", "step 0 is below 1"}, Bad{"0..8+-1", "step -1"},
                    Bad{"1..8", "'*f' or '+s'"}, Bad{"1-8", "'*f' or '+s'"},
                    Bad{"1..8*", "f is not an integer"}, Bad{"..8*2", "lo is not an integer"},
                    Bad{"1..*2", "hi is not an integer"}, Bad{"1..8*2x", "something follows"},
                    Bad{"1..8*2*2", "something follows"},
                    Bad{"-4-4+2", "'..'"},  // a dash cannot separate negative ends
                    Bad{"1k*2", "'..' must follow"}, Bad{"9223372036854775808", "63 bits"},  // 2^63
                    Bad{"9g..9007199254740992k*2", "63 bits"},        // the suffix overflows
                    Bad{"0..2000000+1", "more than 1000000 values"},  // a slip, not a sweep
                    Bad{"1.5", "not an integer"}, Bad{"12abc", "not an integer"},
                    Bad{"8kb", "not an integer"}, Bad{"a b", "neither"}, Bad{"caf\xc3\xa9", "neither"},
                    Bad{"'open", "quotes do not match"}, Bad{"a..b*2", "lo is not an integer"}));

TEST(Grammar, QuotesTheTextAndSaysWhatIsAllowed) {
  try {
    parse_range("1..8*1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'1..8*1'"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("lo..hi*f"), std::string::npos);
  }
}

TEST(Grammar, EveryValueSurvivesBeingWrittenAndReadAgain) {
  const std::vector<Value> values{true,
                                  false,
                                  std::int64_t{0},
                                  std::int64_t{-INT64_MAX},
                                  std::int64_t{INT64_MAX},
                                  std::string("bf16"),
                                  std::string("true"),       // would read as a boolean
                                  std::string("8k"),         // would read as an integer
                                  std::string("a..b"),       // would read as a range
                                  std::string("it's, {x}"),  // needs quotes and a doubled one
                                  std::string("")};
  EXPECT_EQ(parse_range(format_range(values)), values);
  EXPECT_THROW(format_range({}), Error);
  EXPECT_THROW(format_range({std::string("\n")}), Error);
}

TEST(Grammar, ReadsThePointOfAnInclude) {
  const Params expected{{"seq", std::int64_t{3072}}, {"causal", true}, {"dtype", std::string("bf16")}};
  EXPECT_EQ(parse_point("seq=3k, causal=true,dtype = bf16"), expected);
  for (const char* bad : {"", "seq", "seq=", "=3", "seq=1,seq=2", "1x=3", "seq=1,,ranks=2"})
    EXPECT_THROW(parse_point(bad), Error) << bad;
}

TEST(Grammar, RandomTextsEitherParseOrThrowTheProjectsError) {
  constexpr std::string_view kLetters = "0123456789kmgKM..,*+-{}'\" truefalsabc_/=\t\xff";
  std::mt19937 random(20240607);
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 24, ' ');
    for (char& c : text) c = kLetters[random() % kLetters.size()];
    try {
      const std::vector<Value> values = parse_range(text);
      ASSERT_FALSE(values.empty()) << text;
      if (values.size() < 1000) {  // longer ones only cost time
        ASSERT_EQ(parse_range(format_range(values)), values) << text;
      }
      ++parsed;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::usage) << text;
    }
  }
  EXPECT_GT(parsed, 100);  // the letters are chosen so that both outcomes are exercised
}

TEST(Nearest, CountsInsertionsDeletionsSubstitutionsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);  // two substitutions, one insertion
  EXPECT_EQ(edit_distance("bacth", "batch"), 1u);     // one swap
  EXPECT_EQ(edit_distance("ca", "abc"), 2u);  // swap, then insert between: 3 in the restricted variant
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  const std::vector<std::string> names{"seq", "batch", "head_dim", "heads", "causal"};
  EXPECT_EQ(nearest_name("bacth", names), "batch");
  EXPECT_EQ(nearest_name("SEQ", names), "seq");
  EXPECT_EQ(nearest_name("headdim", names), "head_dim");
  EXPECT_EQ(nearest_name("zz", names), std::nullopt);     // distance 3
  EXPECT_EQ(nearest_name("zz", {"ab"}), std::nullopt);    // distance 2, but nothing in common
  EXPECT_EQ(nearest_name("bat", {"cat", "bar"}), "bar");  // a tie: bytewise first
  EXPECT_EQ(nearest_name("throughput", names), std::nullopt);
  EXPECT_EQ(suggestion("bacth", names), "; did you mean 'batch'?");
  EXPECT_EQ(suggestion("zzzz", {"b", "a", "b"}), "; known: a, b");
  EXPECT_EQ(suggestion("x", {}), "");
}

}  // namespace
}  // namespace bench::scaling
