// SPDX-License-Identifier: Apache-2.0
// Expansion of a sweep: order, count, clauses, faults.
#include "scaling/axes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

Value n(std::int64_t value) {
  return value;
}
Value s(const char* text) {
  return std::string(text);
}

/// The points as "a=1 b=2" lines, for readable comparisons.
std::vector<std::string> lines(const std::vector<Params>& points) {
  std::vector<std::string> result;
  for (const Params& point : points) {
    std::string line;
    for (const auto& [name, value] : point) line += (line.empty() ? "" : " ") + name + "=" + to_text(value);
    result.push_back(line);
  }
  return result;
}

using Lines = std::vector<std::string>;

void expect_usage_error(const AxisSpec& spec, const std::vector<std::string>& known,
                        const std::string& says) {
  try {
    expand(spec, known);
    FAIL() << "accepted; wanted an error saying " << says;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
  }
}

TEST(Axes, ProductRunsInDeclaredOrderWithTheLastFastest) {
  const AxisSpec spec{.axes = {{"b", {n(1), n(2)}}, {"a", {n(7), n(8)}}},
                      .fixed = {{"a", n(0)}, {"c", n(5)}}};
  EXPECT_EQ(lines(expand(spec, {}).points),
            (Lines{"a=7 b=1 c=5", "a=8 b=1 c=5", "a=7 b=2 c=5", "a=8 b=2 c=5"}));
}

TEST(Axes, NothingIsOnePoint) {
  EXPECT_EQ(lines(expand({.fixed = {{"seq", n(8)}}}, {}).points), Lines{"seq=8"});
}

TEST(Axes, ZipMovesItsNamesTogether) {
  const AxisSpec spec{.axes = {{"seq", {n(1), n(2)}}},
                      .zips = {{{"ranks", "batch"}, {{n(1), n(8)}, {n(2), n(4)}}}}};
  EXPECT_EQ(lines(expand(spec, {}).points), (Lines{"batch=8 ranks=1 seq=1", "batch=4 ranks=2 seq=1",
                                                   "batch=8 ranks=1 seq=2", "batch=4 ranks=2 seq=2"}));
}

TEST(Axes, ZipOfUnequalLengthsNamesItselfAndBothLengths) {
  expect_usage_error({.zips = {{{"ranks", "batch"}, {{n(1), n(8)}, {n(2)}}}}}, {},
                     "zip (ranks, batch) has 2 names, but its tuple 2 has 1 values");
}

TEST(Axes, LetsAreComputedInTheOrderTheyNeed) {
  const AxisSpec spec{.axes = {{"width", {n(512)}}},
                      .lets = {{"rows", "heads * 2"}, {"heads", "width / head_dim"}, {"dim", "isqrt(rows)"}},
                      .fixed = {{"head_dim", n(64)}, {"heads", n(1)}}};
  EXPECT_EQ(lines(expand(spec, {}).points), Lines{"dim=4 head_dim=64 heads=8 rows=16 width=512"});
}

TEST(Axes, CycleAmongLetsIsNamed) {
  expect_usage_error({.lets = {{"start", "a"}, {"a", "b + 1"}, {"b", "a - 1"}}}, {}, "a -> b -> a");
  expect_usage_error({.lets = {{"seq", "seq * 2"}}, .fixed = {{"seq", n(1)}}}, {}, "seq -> seq");
}

TEST(Axes, DroppedPointsCarryEveryClauseThatDroppedThem) {
  const AxisSpec spec{
      .axes = {{"seq", {n(1), n(2), n(3)}}}, .where = {"seq < 3"}, .except = {"seq == 1", "seq % 2 == 1"}};
  const Expansion expansion = expand(spec, {});
  EXPECT_EQ(lines(expansion.points), Lines{"seq=2"});
  ASSERT_EQ(expansion.dropped.size(), 2u);
  EXPECT_EQ(expansion.dropped[0].reason, "except: seq == 1; except: seq % 2 == 1");
  EXPECT_EQ(expansion.dropped[1].reason, "where: seq < 3; except: seq % 2 == 1");
}

TEST(Axes, IncludeAddsAPointThatNoConditionFilters) {
  const AxisSpec spec{.axes = {{"seq", {n(1), n(2)}}, {"dtype", {s("f32"), s("bf16")}}},
                      .lets = {{"twice", "seq * 2"}},
                      .where = {"seq < 2"},
                      .include = {{{"seq", n(3000)}}, {{"seq", n(2)}}, {{"twice", n(0)}}}};
  const Expansion expansion = expand(spec, {});
  EXPECT_EQ(lines(expansion.points), (Lines{"dtype=f32 seq=1 twice=2", "dtype=bf16 seq=1 twice=2",
                                            "dtype=f32 seq=3000 twice=6000",  // first dtype, let computed
                                            "dtype=f32 seq=2 twice=4",        // had been dropped by where
                                            "dtype=f32 seq=1 twice=0"}));     // a let said outright
  ASSERT_EQ(expansion.dropped.size(), 1u);
  EXPECT_EQ(lines({expansion.dropped[0].point}), Lines{"dtype=bf16 seq=2 twice=4"});
}

TEST(Axes, IncludeAloneIsTheWholeSweep) {
  const AxisSpec spec{.include = {{{"seq", n(3)}}}, .fixed = {{"seq", n(1)}, {"batch", n(2)}}};
  EXPECT_EQ(lines(expand(spec, {}).points), Lines{"batch=2 seq=3"});
}

TEST(Axes, EqualPointsMergeIntoTheFirst) {
  const AxisSpec spec{
      .axes = {{"seq", {n(2), n(1), n(2), n(9), n(9)}}}, .where = {"seq < 9"}, .include = {{{"seq", n(1)}}}};
  const Expansion expansion = expand(spec, {});
  EXPECT_EQ(lines(expansion.points), (Lines{"seq=2", "seq=1"}));
  EXPECT_EQ(expansion.dropped.size(), 1u);
}

TEST(Axes, HelperNamesServeExpressionsAndLeaveThePoints) {
  const AxisSpec spec{.axes = {{"width", {n(512), n(513)}}}, .lets = {{"heads", "width / 64"}}};
  EXPECT_EQ(lines(expand(spec, {"heads", "seq"}).points), Lines{"heads=8"});  // 512 and 513 give one point
}

TEST(Axes, UnknownNamesGetTheNearestKnownOne) {
  const std::vector<std::string> known{"seq", "batch"};
  expect_usage_error({.axes = {{"sec", {n(1)}}}}, known, "no parameter is called 'sec'; did you mean 'seq'?");
  expect_usage_error({.lets = {{"bacth", "2"}}}, known, "did you mean 'batch'?");
  expect_usage_error({.include = {{{"sec", n(1)}}}}, known, "did you mean 'seq'?");
  expect_usage_error({.axes = {{"seq", {n(1)}}}, .where = {"sec > 0"}}, known,
                     "where: sec > 0: no parameter is called 'sec'");
  expect_usage_error({.axes = {{"seq", {n(1)}}}, .where = {"batch > 0"}}, known,
                     "'batch' has no value in this sweep");
}

TEST(Axes, FaultsNameTheClause) {
  expect_usage_error({.axes = {{"seq", {}}}}, {}, "axis 'seq' has no value");
  expect_usage_error({.axes = {{"a", {n(1)}}, {"a", {n(2)}}}}, {}, "'a' is defined twice");
  expect_usage_error({.axes = {{"a", {n(1)}}}, .lets = {{"a", "1"}}}, {}, "'a' is defined twice");
  expect_usage_error({.zips = {{{"a", "b"}, {}}}}, {}, "has no tuple");
  expect_usage_error({.zips = {{{}, {{}}}}}, {}, "names no parameter");
  expect_usage_error({.except = {"1 +"}}, {}, "except: expression '1 +', column 4");
  expect_usage_error({.axes = {{"a", {n(1), n(0)}}}, .lets = {{"b", "1 / a"}}}, {}, "(at a=0)");
  expect_usage_error({.axes = {{"a", {n(1)}}}, .where = {"a + 1"}}, {}, "must be a boolean");
  expect_usage_error({.axes = {{"a", {n(1)}}}, .lets = {{"b", "2 / a"}}, .include = {{{"a", n(0)}}}}, {},
                     "include a=0: let b");
}

TEST(Axes, TooManyPointsAreRefusedBeforeAnyIsMade) {
  AxisSpec spec;
  for (int i = 0; i < 10; ++i)
    spec.axes.push_back({"a" + std::to_string(i), std::vector<Value>(1000, n(1))});  // 10^30 overflows
  EXPECT_EQ(product_size(spec), INT64_MAX);
  expect_usage_error(spec, {}, "more than the 1000000 allowed");
  const AxisSpec small{.axes = {{"a", {n(1), n(2), n(3)}}}, .include = {{{"a", n(4)}}}};
  EXPECT_EQ(expand(small, {}, 4).points.size(), 4u);
  EXPECT_THROW(expand(small, {}, 3), Error);
}

/// A sweep with up to 4 axes and 2 zips of distinct values, so that no two points merge.
AxisSpec random_spec(std::mt19937& random) {
  AxisSpec spec;
  const auto values = [&](std::int64_t from) {
    std::vector<Value> list;
    for (std::int64_t i = 0, count = 1 + static_cast<std::int64_t>(random() % 4); i < count; ++i)
      list.push_back(n(from + i));
    return list;
  };
  const std::size_t axes = 1 + random() % 4, zips = random() % 3;
  for (std::size_t i = 0; i < axes; ++i) spec.axes.push_back({"a" + std::to_string(i), values(1)});
  for (std::size_t i = 0; i < zips; ++i) {
    AxisSpec::Zip zip{{"z" + std::to_string(i), "y" + std::to_string(i)}, {}};
    for (const Value& value : values(10)) zip.tuples.push_back({value, s("same")});
    spec.zips.push_back(zip);
  }
  return spec;
}

TEST(AxesProperty, CountIsTheProductAndKeptPlusDroppedIsAll) {
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    AxisSpec spec = random_spec(random);
    std::int64_t product = 1;
    for (const Axis& axis : spec.axes) product *= static_cast<std::int64_t>(axis.values.size());
    for (const AxisSpec::Zip& zip : spec.zips) product *= static_cast<std::int64_t>(zip.tuples.size());
    EXPECT_EQ(product_size(spec), product);
    const std::vector<Params> all = expand(spec, {}).points;
    ASSERT_EQ(static_cast<std::int64_t>(all.size()), product);
    EXPECT_EQ(static_cast<std::int64_t>(std::set<Params>(all.begin(), all.end()).size()), product);
    spec.where = {"a0 <= 2"};
    const Expansion filtered = expand(spec, {});
    EXPECT_EQ(static_cast<std::int64_t>(filtered.points.size() + filtered.dropped.size()), product);
  }
}

TEST(AxesProperty, OrderOfClausesDoesNotMatter) {
  std::mt19937 random(12);
  for (int i = 0; i < 300; ++i) {
    AxisSpec spec = random_spec(random);
    spec.lets = {{"q", "a0 + 1"}, {"r", "q * 2"}, {"t", "max(q, r)"}};
    spec.where = {"a0 < 4", "q * r > 5", "t % 3 != 1"};
    spec.except = {"a0 == 2 && r > 3", "t == 8"};
    const Lines expected = lines(expand(spec, {}).points);
    std::shuffle(spec.lets.begin(), spec.lets.end(), random);
    std::shuffle(spec.where.begin(), spec.where.end(), random);
    std::shuffle(spec.except.begin(), spec.except.end(), random);
    ASSERT_EQ(lines(expand(spec, {}).points), expected);
  }
}

TEST(AxesProperty, OrderOfAxesChangesOnlyTheOrderOfPoints) {
  std::mt19937 random(13);
  for (int i = 0; i < 300; ++i) {
    AxisSpec spec = random_spec(random);
    const std::vector<Params> before = expand(spec, {}).points;
    std::shuffle(spec.axes.begin(), spec.axes.end(), random);
    std::shuffle(spec.zips.begin(), spec.zips.end(), random);
    const std::vector<Params> after = expand(spec, {}).points;
    ASSERT_EQ(std::set<Params>(before.begin(), before.end()), std::set<Params>(after.begin(), after.end()));
  }
}

}  // namespace
}  // namespace bench::scaling
