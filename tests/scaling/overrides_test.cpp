// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "scaling/plan.hpp"
#include "scaling/study.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

const std::string kStudy = R"(schema_version: 1
name: toy
sweeps:
  - name: pairs
    op: toy_pairs
    kernels: [toy/plain, toy/fancy]
    axes: {seq: [256, 512], heads: [4, 8]}
    zip: [{[batch, threads]: [[1, 2], [4, 1]]}]
    let: {width: heads * 8}
    include: [{seq: 3000}, {seq: 100, batch: 9}]
  - name: rings
    op: toy_pairs
    kernels: [toy/ring]
    scaling: {mode: strong, ranks: [1, 2]}
  - name: lines
    op: toy_line
    kernels: [line/plain]
)";

Study study() {
  return parse_study(kStudy, "s.yaml");
}

Study with(const StudyOverrides& overrides) {
  Study changed = study();
  apply_overrides(changed, overrides);
  return changed;
}

std::string message_of(const StudyOverrides& overrides) {
  try {
    with(overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return {};
}

TEST(Overrides, AnAxisIsReplacedWhereverItsParameterIs) {
  const Study changed = with({.axes = {{"seq", "64..128*2"}}});
  const std::vector<Value> wanted{std::int64_t{64}, std::int64_t{128}};
  EXPECT_EQ(changed.sweeps[0].axes.axes[0].values, wanted);
  EXPECT_EQ(changed.sweeps[1].axes.axes.at(0).values, wanted);  // had no such axis
  EXPECT_EQ(changed.sweeps[2].axes.axes.at(0).values, wanted);
  ASSERT_EQ(changed.sweeps[0].axes.include.size(), 1u);  // the point that said only seq is gone
  EXPECT_EQ(changed.sweeps[0].axes.include[0], (Params{{"batch", std::int64_t{9}}}));
}

TEST(Overrides, AZippedNameLeavesItsZip) {
  const Study changed = with({.axes = {{"batch", "7"}}});
  EXPECT_EQ(changed.sweeps[0].axes.zips.at(0).names, std::vector<std::string>{"threads"});
  EXPECT_EQ(changed.sweeps[0].axes.zips.at(0).tuples,
            (std::vector<std::vector<Value>>{{std::int64_t{2}}, {std::int64_t{1}}}));
}

TEST(Overrides, ALetGoesTogetherWithTheHelperThatFedIt) {
  const Study changed = with({.axes = {{"width", "16"}}});
  EXPECT_TRUE(changed.sweeps[0].axes.lets.empty());
  for (const Axis& axis : changed.sweeps[0].axes.axes) EXPECT_NE(axis.name, "heads");
}

TEST(Overrides, AHelperCanBeSetToo) {
  const Study changed = with({.axes = {{"heads", "2"}}});
  EXPECT_EQ(changed.sweeps[0].axes.axes[1].values, std::vector<Value>{std::int64_t{2}});
  EXPECT_TRUE(changed.sweeps[1].axes.axes.empty());
}

TEST(Overrides, RanksGoToTheScalingWhereThereIsOne) {
  const Study changed = with({.axes = {{"ranks", "4,1,2,2"}}});
  EXPECT_EQ(changed.sweeps[1].scaling->ranks, (std::vector<std::int64_t>{1, 2, 4}));
  EXPECT_EQ(changed.sweeps[2].axes.axes.at(0).name, "ranks");
}

TEST(Overrides, ScalingIsLaidOverCollectiveKernelsOnly) {
  const Study changed = with({.scaling = ScalingSpec{.mode = "weak", .by = "batch", .ranks = {1, 4}}});
  EXPECT_FALSE(changed.sweeps[0].scaling.has_value());
  EXPECT_EQ(changed.sweeps[1].scaling->by, "batch");
  EXPECT_FALSE(changed.sweeps[2].scaling.has_value());
}

TEST(Overrides, KernelsReplaceTheListsOfTheSweepsTheyFit) {
  const auto cases = make_cases(with({.kernels = {"toy/huge", "line/*"}}), {}, {});
  for (const Case& c : cases)
    EXPECT_TRUE(c.kernel == "toy/huge" || c.kernel.starts_with("line/")) << c.kernel;
}

TEST(Overrides, ExcludeWinsOverInclude) {
  const auto cases = make_cases(with({.include = {"toy/*"}, .exclude = {"re:ring$"}}), {}, {});
  for (const Case& c : cases) EXPECT_TRUE(c.kernel == "toy/plain" || c.kernel == "toy/fancy") << c.kernel;
}

TEST(Overrides, WhenNothingIsLeftNothingMatched) {
  try {
    make_cases(with({.exclude = {"*"}}), {}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::no_match);
  }
}

TEST(Overrides, TheBaselineGoesToTheSweepsOfItsOp) {
  const Study changed = with({.baseline = "line/ranks"});
  EXPECT_EQ(changed.sweeps[0].baseline, "");
  EXPECT_EQ(changed.sweeps[2].baseline, "line/ranks");
}

TEST(Overrides, MistakesNameTheParameterAndTheNearest) {
  EXPECT_NE(message_of({.axes = {{"sek", "1"}}})
                .find("no sweep of study 'toy' has a parameter 'sek'; did you mean 'seq'?"),
            std::string::npos);
  EXPECT_NE(message_of({.axes = {{"seq", "abc"}}}).find("seq = 'abc' is of type text"), std::string::npos);
  EXPECT_NE(message_of({.axes = {{"seq", "9..1*2"}}}).find("range '9..1*2'"), std::string::npos);
  EXPECT_NE(message_of({.exclude = {"re:["}}).find("not a regular expression"), std::string::npos);
  EXPECT_NE(message_of({.scaling = ScalingSpec{.mode = "weak", .by = "rows", .ranks = {1}}})
                .find("scaling by = 'rows'"),
            std::string::npos);
}

TEST(Overrides, WhatIsChangedStillRoundTrips) {
  const Study changed =
      with({.axes = {{"width", "16"}, {"batch", "1,2"}}, .kernels = {"toy/*"}, .exclude = {"toy/huge"}});
  const std::string text = to_yaml(changed);
  EXPECT_EQ(to_yaml(parse_study(text, "again")), text);
}

}  // namespace
}  // namespace bench::scaling
