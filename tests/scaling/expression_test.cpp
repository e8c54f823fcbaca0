// SPDX-License-Identifier: Apache-2.0
// Expressions: values worked by hand, faults with their column, and random texts.
#include "scaling/expression.hpp"

#include <gtest/gtest.h>

#include <random>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

const Params kPoint{
    {"seq", std::int64_t{4096}}, {"batch", std::int64_t{2}},           {"ranks", std::int64_t{1}},
    {"heads", std::int64_t{32}}, {"kernel", std::string("ring")},      {"causal", true},
    {"least", INT64_MIN},        {"largest", std::int64_t{INT64_MAX}}, {"zero", std::int64_t{0}}};

struct Good {
  const char* text;
  Value value;
};
class GoodExpression : public testing::TestWithParam<Good> {};

TEST_P(GoodExpression, HasItsValue) {
  EXPECT_EQ(Expression(GetParam().text).evaluate(kPoint), GetParam().value);
}

Good number(const char* text, std::int64_t value) {
  return {text, value};
}

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, GoodExpression,
    testing::Values(
        number("1+2*3", 7), number("(1+2)*3", 9), number("10-4-3", 3),
        number("100/10/5", 2),                                                           // from the left
        number("2^3^2", 512), number("-2^2", -4), number("2*-3", -6), number("--4", 4),  // unary and power
        number("7/2", 3), number("7%3", 1), number("-7/2", -4), number("-7%3", 2),
        number("7%-3", -2),  // floor
        number("8k", 8192), number("1m/1k", 1024), number("seq*batch", 8192), number(" seq\t/ heads ", 128),
        number("min(3,5)+max(3,5)", 8), number("min(seq, max(1, batch))", 2), number("isqrt(0)", 0),
        number("isqrt(15)", 3), number("isqrt(16)", 4),
        number("isqrt(2^62-1)", (1LL << 31) - 1),  // as a double the argument is 2^62, its root one too large
        number("isqrt(largest)", 3037000499),      // floor of the root of 2^63-1
        number("2^62", 1LL << 62), number("(0-2)^63", INT64_MIN), number("0^0", 1), number("1^largest", 1),
        number("(0-1)^largest", -1),  // no overflow however large the exponent
        number("least % -1", 0),      // traps in hardware when done carelessly
        number("largest - 1 + 1", INT64_MAX)));

INSTANTIATE_TEST_SUITE_P(
    Conditions, GoodExpression,
    testing::Values(Good{"seq > 4095 && batch <= 2", true}, Good{"kernel != 'ring' || ranks > 1", false},
                    Good{"seq*seq*batch*heads>2^36 && kernel=='sdpa'", false},
                    Good{"kernel == \"ring\"", true}, Good{"!causal", false}, Good{"!(seq<1)", true},
                    Good{"!!causal", true}, Good{"causal == true", true}, Good{"causal", true},
                    Good{"false && true || true", true},  // && binds tighter
                    Good{"1 < 2 == true", true},          // comparisons from the left
                    Good{"ranks > 1 && seq % (ranks - 1) == 0",
                         false},  // the guard keeps the division by zero away
                    Good{"ranks == 1 || 1 / zero == 1", true}, Good{"'it''s' == \"it's\"", true},
                    Good{"kernel", std::string("ring")}));

struct Bad {
  const char* text;
  int column;
  const char* says;
};
class BadExpression : public testing::TestWithParam<Bad> {};

TEST_P(BadExpression, IsAUsageErrorWithItsColumn) {
  try {
    Expression(GetParam().text).evaluate(kPoint);
    FAIL() << "accepted " << GetParam().text;
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(what.find("column " + std::to_string(GetParam().column) + ":"), std::string::npos) << what;
    EXPECT_NE(what.find(GetParam().says), std::string::npos) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadExpression,
    testing::Values(Bad{"", 1, "found the end"}, Bad{"seq *", 6, "found the end"},
                    Bad{"(1+2", 5, "expected ')'"}, Bad{"1 2", 3, "expected an operator"},
                    Bad{"1)", 2, "expected an operator"}, Bad{"seq = 1", 5, "write '=='"},
                    Bad{"causal & causal", 8, "write '&&'"}, Bad{"causal | causal", 8, "write '||'"},
                    Bad{"1.5", 2, "integer"}, Bad{"8kb", 2, "suffix"}, Bad{"'open", 1, "closing quote"},
                    Bad{"min(1)", 6, "expected ','"}, Bad{"isqrt(1,2)", 8, "expected ')'"},
                    Bad{"sqrt(4)", 1, "no function 'sqrt'"}, Bad{"$", 1, "found '$'"},
                    Bad{"seq\xc3", 4, "found '?'"}, Bad{"9223372036854775808", 1, "63 bits"},
                    Bad{"1 + 8589934592g", 5, "63 bits"}));

INSTANTIATE_TEST_SUITE_P(
    Evaluation, BadExpression,
    testing::Values(Bad{"1 + sec", 5, "did you mean 'seq'"}, Bad{"kernel == ring", 11, "quotes"},
                    Bad{"1/zero", 2, "division by zero"}, Bad{"seq % (batch-2)", 5, "division by zero"},
                    Bad{"largest + 1", 9, "64 bits"}, Bad{"0-2-largest", 4, "64 bits"},
                    Bad{"largest * 2", 9, "64 bits"}, Bad{"-least", 1, "64 bits"},
                    Bad{"least / -1", 7, "64 bits"}, Bad{"2^63", 2, "64 bits"},
                    Bad{"3^largest", 2, "64 bits"}, Bad{"2^-1", 2, "negative"},
                    Bad{"isqrt(0-1)", 1, "negative"}, Bad{"causal + 1", 1, "an integer is needed"},
                    Bad{"1 + kernel", 5, "the text 'ring'"}, Bad{"!seq", 2, "a boolean is needed"},
                    Bad{"seq && causal", 1, "a boolean is needed"},
                    Bad{"causal == 1", 8, "compares the boolean 'true' with the integer '1'"},
                    Bad{"kernel < 'z'", 1, "an integer"}));

TEST(Expression, ConditionMustBeABoolean) {
  EXPECT_TRUE(Expression("seq > 1").holds(kPoint));
  EXPECT_THROW(Expression("seq").holds(kPoint), Error);
}

TEST(Expression, ListsEachNameOnce) {
  EXPECT_EQ(Expression("seq*batch + seq > min(ranks, 2) && kernel == 'seq2'").names(),
            (std::vector<std::string>{"batch", "kernel", "ranks", "seq"}));
}

TEST(Expression, DepthIsBoundedForEveryWayToNest) {
  // 100 levels are far above any real condition; 2000 would fit the length but not the depth.
  const auto repeat = [](const std::string& part, int times) {
    std::string text;
    for (int i = 0; i < times; ++i) text += part;
    return text;
  };
  EXPECT_EQ(Expression(repeat("(", 100) + "1" + repeat(")", 100)).evaluate({}), Value(std::int64_t{1}));
  EXPECT_EQ(Expression(repeat("1+", 100) + "1").evaluate({}), Value(std::int64_t{101}));
  EXPECT_THROW(Expression(repeat("(", 2000) + "1" + repeat(")", 2000)), Error);
  EXPECT_THROW(Expression(repeat("1+", 2000) + "1"), Error);
  EXPECT_THROW(Expression(repeat("-", 2000) + "1"), Error);
  EXPECT_THROW(Expression(repeat("2^", 2000) + "1"), Error);
  EXPECT_THROW(Expression(repeat("max(1,", 600) + "1" + repeat(")", 600)), Error);
  EXPECT_THROW(Expression(std::string(Expression::kMaxLength + 1, ' ')), Error);
}

TEST(Expression, RandomTextsEitherEvaluateOrThrowTheProjectsError) {
  const std::vector<std::string> words{
      "seq",    "batch", "zero", "largest", "least", "kernel", "causal", "nobody", "min(", "max(",
      "isqrt(", "(",     ")",    ",",       "+",     "-",      "*",      "/",      "%",    "^",
      "==",     "!=",    "<",    ">=",      "&&",    "||",     "!",      "1",      "8k",   "'ring'",
      "true",   " ",     "'",    "=",       "\xff",  "9g",     "2"};
  std::mt19937 random(20240608);
  int evaluated = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t pieces = random() % 14; pieces > 0; --pieces) text += words[random() % words.size()];
    try {
      Expression(text).evaluate(kPoint);
      ++evaluated;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::usage) << text;
    }
  }
  EXPECT_GT(evaluated, 100);  // the pieces are chosen so that both outcomes are exercised
}

}  // namespace
}  // namespace bench::scaling
