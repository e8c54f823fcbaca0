// SPDX-License-Identifier: Apache-2.0
// The vector engine of the selective scan, for every instruction set this machine has: the conformance tests
// only meet the widest.
#include "kernels/scan/selective_tile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

struct Setting {
  const Op& op = support::find_op("selective");
  std::unique_ptr<Problem> problem;
  Tensors tensors;
  std::vector<float> h;
  explicit Setting(const Params& params) : problem(op.parse(params_with(op, params))) {
    tensors = support::make_inputs(op, *problem, 11);
    const auto& p = typed();
    tensors.add("out", Tensor(p.dtype, {p.batch, p.seq, p.channels}));
    for (std::int64_t i = 0; i < tensors["out"].count(); ++i) tensors["out"].set(i, std::nan(""));
    for (std::int64_t i = 0; i < tensors["h0"].count(); ++i)
      h.push_back(static_cast<float>(tensors["h0"].at(i)));
  }
  const SelectiveProblem& typed() const { return problem_as<SelectiveProblem>(*problem); }
  SelectiveShare share() { return make_share(typed(), tensors); }
};

double scale_of(const Tensor& want) {
  double scale = 0.0;
  for (std::int64_t i = 0; i < want.count(); ++i) scale = std::max(scale, std::abs(want.at(i)));
  return scale;
}

class SelectiveTile : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!has_isa(GetParam())) GTEST_SKIP() << "this processor lacks the instruction set";
  }
};

// 37 channels: whole packs and a ragged one. 27 states: blocks of 16 or 8, of 4 and single ones. 40 steps:
// two tiles and a half.
Params shape(const char* dtype) {
  return {{"seq", std::int64_t{40}},
          {"channels", std::int64_t{37}},
          {"state", std::int64_t{27}},
          {"dtype", std::string(dtype)}};
}

TEST_P(SelectiveTile, ScansLikeTheOracle) {
  for (const char* dtype : {"fp32", "bf16", "fp16"}) {
    Setting s(shape(dtype));
    std::vector<std::int64_t> rows;
    for (std::int64_t t = 0; t < 40; ++t) rows.push_back(t);
    const Tensors want = s.op.reference(*s.problem, support::widen(s.tensors), rows);
    const SelectiveShare share = s.share();
    const std::int64_t width = widest_strip(27);
    for (std::int64_t i = 0; i < strips_per_entry(share, width); ++i)
      for (const Range steps : {Range{0, 13}, Range{13, 13}, Range{13, 40}})  // in parts, one of them empty
        scan_strip(share, strip_at(share, width, i), steps, s.h.data(), GetParam());
    const double scale = scale_of(want["out"]), tolerance = s.op.tolerance(*s.problem, "out");
    for (std::int64_t i = 0; i < want["out"].count(); ++i)
      ASSERT_LE(std::abs(s.tensors["out"].at(i) - want["out"].at(i)), tolerance * scale)
          << dtype << " element " << i;
    const double state_scale = scale_of(want["h_last"]),
                 state_tolerance = s.op.tolerance(*s.problem, "h_last");
    for (std::int64_t i = 0; i < want["h_last"].count(); ++i)
      ASSERT_LE(std::abs(static_cast<double>(s.h[static_cast<std::size_t>(i)]) - want["h_last"].at(i)),
                state_tolerance * state_scale)
          << dtype << " state " << i;
  }
}

TEST_P(SelectiveTile, ACarryAppliedToAStateIsTheScanFromThatState) {
  Setting s(shape("fp32"));
  const SelectiveShare share = s.share();
  const std::vector<float> start = s.h;
  std::vector<float> carried(start.size(), 0.0F), delta_sum(37, 0.0F);
  const std::int64_t width = widest_strip(27);
  for (std::int64_t i = 0; i < strips_per_entry(share, width); ++i) {
    scan_strip(share, strip_at(share, width, i), {0, 40}, s.h.data(), GetParam());
    carry_strip(share, strip_at(share, width, i), {0, 40}, delta_sum.data(), carried.data(), GetParam());
  }
  apply_carry(share.a, 37, 27, delta_sum.data(), start.data(), carried.data());
  for (std::size_t i = 0; i < carried.size(); ++i) EXPECT_NEAR(carried[i], s.h[i], 2e-6) << "state " << i;
}

std::string name_of_isa(const ::testing::TestParamInfo<Isa>& parameter) {
  if (parameter.param == Isa::avx512) return "avx512";
  return parameter.param == Isa::avx2 ? "avx2" : "plain";
}

INSTANTIATE_TEST_SUITE_P(AllInstructionSets, SelectiveTile, ::testing::ValuesIn(kAllIsas), name_of_isa);

TEST(SelectiveStrips, CoverEveryChannelOnceAndKeepToTheirGroup) {
  for (const std::int64_t groups : {1, 2, 5}) {
    SelectiveShare share;
    share.channels = 50 * groups;  // 50: one strip of 32 and a ragged one
    share.groups = groups;
    std::vector<int> seen(static_cast<std::size_t>(2 * share.channels));
    for (std::int64_t i = 0; i < 2 * strips_per_entry(share, 32); ++i) {
      const Strip strip = strip_at(share, 32, i);
      for (std::int64_t c = strip.channels.begin; c < strip.channels.end; ++c) {
        EXPECT_EQ(c / 50, strip.group);
        ++seen[static_cast<std::size_t>(strip.entry * share.channels + c)];
      }
    }
    for (const int times : seen) EXPECT_EQ(times, 1);
  }
}

}  // namespace
}  // namespace bench::scan
