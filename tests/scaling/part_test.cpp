// SPDX-License-Identifier: Apache-2.0
// `part` as an axis: which cases it makes, and of which kernels.
#include <gtest/gtest.h>

#include <algorithm>

#include "scaling/parameters.hpp"
#include "scaling/plan.hpp"
#include "scaling/sweep.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

Op exchange_alone() {
  Op op = toy::make_op("toy_exchange", toy::pair_cost);
  op.ranks_are_its_data = true;
  return op;
}
const Registrar<Op> kOp{toy::make_op("toy_parts", toy::pair_cost)};  // of its own: other tests count what toy_pairs has
const Registrar<Op> kExchange{exchange_alone()};
const Registrar<Kernel> kRing{toy::make_kernel("parts/ring", "toy_parts", true)};
const Registrar<Kernel> kAlone{toy::make_kernel("parts/plain", "toy_parts", false)};
const Registrar<Kernel> kSends{toy::make_kernel("parts/sends", "toy_exchange", true)};

std::vector<Case> cases_of(const std::string& op, const std::string& kernel, const std::string& more) {
  const std::string sweeps = "  - {op: " + op + ", kernels: " + kernel + ", " + more + "}\n";
  return make_cases(parse_study("schema_version: 1\nname: parts\nsweeps:\n" + sweeps, "p.yaml"), {}, {.ranks = 2, .ranks_per_node = 2});
}
constexpr const char* kAll = "part: [whole, compute, exchange]";

TEST(Part, IsACaseOfItsOwnAndWholeIsThePlainCase) {
  const auto cases = cases_of("toy_parts", "parts/ring", std::string("axes: {ranks: 2, ") + kAll + "}");
  ASSERT_EQ(cases.size(), 3U);
  EXPECT_FALSE(cases[0].params.contains("part"));
  EXPECT_EQ(part_of(cases[1].params), Part::compute);
  EXPECT_EQ(part_of(cases[2].params), Part::exchange);
  EXPECT_EQ(cases[0].id, cases_of("toy_parts", "parts/ring", "fixed: {ranks: 2}").front().id);
  for (const Case& c : cases) {
    EXPECT_EQ(c.planned, Outcome::ok) << c.reason;
    EXPECT_EQ(problem_key(c.op, c.params), problem_key(cases[0].op, cases[0].params)) << "one oracle serves all";
  }
}

TEST(Part, WhoExchangesNothingHasNone) {
  EXPECT_EQ(cases_of("toy_parts", "parts/ring", std::string("axes: {ranks: 1, ") + kAll + "}").size(), 1U) << "one rank";
  const auto alone = cases_of("toy_parts", "parts/plain", std::string("axes: {ranks: 1, ") + kAll + "}");
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_FALSE(alone[0].params.contains("part"));
}

TEST(Part, IsNoPointOfAScalingCurve) {
  const auto cases = cases_of("toy_parts", "parts/ring", std::string("axes: {seq: 64, ") + kAll + "}, scaling: {mode: strong, ranks: [1, 2]}");
  ASSERT_EQ(cases.size(), 4U) << "one rank once, two ranks three times";
  for (const Case& c : cases) EXPECT_EQ(c.scaling.size(), c.params.contains("part") ? 0U : 1U) << c.id;
}

TEST(Part, OfAnExchangeAloneOrACapturedCallIsARowThatSaysWhyNot) {
  const auto exchange = cases_of("toy_exchange", "parts/sends", "fixed: {ranks: 2, part: compute}");
  ASSERT_EQ(exchange.size(), 1U);
  EXPECT_EQ(exchange[0].planned, Outcome::skipped);
  EXPECT_NE(exchange[0].reason.find("has no parts"), std::string::npos) << exchange[0].reason;
}

TEST(Part, IsOneOfThree) { EXPECT_THROW(cases_of("toy_parts", "parts/ring", "fixed: {part: half}"), Error); }

}  // namespace
}  // namespace bench::scaling
