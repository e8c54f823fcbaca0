// SPDX-License-Identifier: Apache-2.0
// The device's backward pass of the selective scan, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/selective_back.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/kernels/scan/selective_host.hpp"

namespace bench::scan {
namespace {

using test::sizes;
using Machine = support::HostMachine;
using Lanes16 = LaneShape<4, 4, 1>;  // 32 channels a block, tiles of 16 steps

void sum(const std::vector<float>& parts, Tensor& to) {
  OrderedSum job{parts.data(), to.as<float>(), to.count(), static_cast<int>(static_cast<std::int64_t>(parts.size()) / to.count())};
  support::run_blocks(static_cast<int>(job.blocks()), OrderedSum::kThreads, 0, 1, [&] { job.run<Machine>(); });
}

template <class T, class Shape>
class Backward {
  using Marks = SelectiveWalk<Machine, T, Shape, Walk::marks>;
  using Back = SelectiveBack<Machine, T, Shape>;

 public:
  Backward(const Params& params, bool adds, const Spoil& spoil) : case_(test::typed<T>(with_pass(params)), spoil), adds_(adds) {
    const SelectiveProblem& p = case_.p();
    const std::int64_t channels = p.batch * p.channels;
    pieces_ = adds ? 1 : ceil_div(p.group_channels(), Back::kChannels);
    grow(states_, channels * p.state * ceil_div(p.seq, Shape::kMarkSteps));
    grow(da_, channels * p.state);
    grow(dskip_, channels);
    grow(dbias_, channels);
    for (auto* parts : {&db_, &dc_}) grow(*parts, pieces_ * case_.outputs["dB"].count());
    if (adds)
      for (auto* parts : {&db_, &dc_}) std::ranges::fill(*parts, 0.0F);
  }

  void expect_the_oracles_answer(std::uint64_t seed = 1) {
    SelectiveBackJob job{case_.job()};
    set(job);
    test::run_body<Marks>(static_cast<const SelectiveJob&>(job), seed);
    test::run_body<Back>(job, seed);
    sum(db_, case_.outputs["dB"]);
    sum(dc_, case_.outputs["dC"]);
    sum(da_, case_.outputs["dA"]);
    sum(dskip_, case_.outputs["dD"]);
    sum(dbias_, case_.outputs["ddelta_bias"]);
    case_.expect_the_oracles_answer();
  }

 private:
  static Params with_pass(Params params) {
    params["pass"] = std::string("bwd");
    return params;
  }
  static void grow(std::vector<float>& numbers, std::int64_t count) { numbers.assign(static_cast<std::size_t>(count), std::numeric_limits<float>::quiet_NaN()); }

  void set(SelectiveBackJob& job) {
    Tensors &in = case_.inputs, &out = case_.outputs;
    job.dout = in["dout"].data();
    job.dh_last = in["dh_last"].as<float>();
    job.du = out["du"].data(), job.ddelta = out["ddelta"].data(), job.dz = out["dz"].data();
    job.dh0 = out["dh0"].as<float>();
    job.states = states_.data(), job.db = db_.data(), job.dc = dc_.data(), job.da = da_.data(), job.dskip = dskip_.data(), job.dbias = dbias_.data();
    job.piece = out["dB"].count();
    job.adds = adds_;
  }

  test::HostSelective case_;
  bool adds_;
  std::int64_t pieces_ = 1;
  std::vector<float> states_, db_, dc_, da_, dskip_, dbias_;
};

template <class T, class Shape>
void expect_like_the_oracle(const Params& params, const Spoil& spoil = nullptr) {
  for (const bool adds : {false, true}) {
    SCOPED_TRACE(text_of(params) + (adds ? "added as they come" : "a place each"));
    Backward<T, Shape>(params, adds, spoil).expect_the_oracles_answer();
  }
}

TEST(SelectiveBack, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const std::int64_t seq : {1, 15, 16, 17, 33, 48}) expect_like_the_oracle<Bf16, Lanes16>(sizes(2, seq, 40, 16));
}

TEST(SelectiveBack, TakesChannelsAndStatesThatAreNoWholePieces) {
  for (const std::int64_t channels : {1, 7, 33}) expect_like_the_oracle<Bf16, Lanes16>(sizes(1, 19, channels, 13));
  expect_like_the_oracle<float, Lanes16>(sizes(2, 19, 66, 16));
  expect_like_the_oracle<F16, Lanes16>(sizes(1, 19, 32, 10));
}

TEST(SelectiveBack, TakesEveryShapeOfLanes) {
  expect_like_the_oracle<Bf16, LaneShape<4, 2, 1>>(sizes(1, 19, 72, 8));
  expect_like_the_oracle<float, LaneShape<4, 2, 1>>(sizes(1, 19, 70, 3));
  expect_like_the_oracle<Bf16, LaneShape<4, 8, 1>>(sizes(1, 19, 24, 32));
  expect_like_the_oracle<float, LaneShape<4, 16, 1>>(sizes(1, 19, 9, 60));
  expect_like_the_oracle<Bf16, LaneShape<4, 32, 1>>(sizes(1, 19, 6, 128));
  expect_like_the_oracle<float, LaneShape<8, 32, 1>>(sizes(1, 19, 6, 200));
}

TEST(SelectiveBack, ChannelsAddToTheirOwnGroup) {
  expect_like_the_oracle<Bf16, Lanes16>(sizes(2, 19, 120, 16, 3));  // 40 a group: two blocks each
  expect_like_the_oracle<float, Lanes16>(sizes(1, 19, 45, 14, 3));  // 15: rows of a group begin anywhere
}

TEST(SelectiveBack, PassesNoGradientOverTheStartOfAPackedSequence) {
  expect_like_the_oracle<float, Lanes16>(sizes(2, 70, 33, 16, 1, 7));
  expect_like_the_oracle<Bf16, LaneShape<4, 2, 1>>(sizes(1, 40, 20, 5, 1, 40));  // each step a sequence
}

TEST(SelectiveBack, KeepsWhatUnderflowsAndOverflowsApart) {
  const auto steep = [](Tensors& in) {
    fill(in, "delta", [](std::int64_t i) { return i % 3 == 0 ? -100.0 : i % 3 == 1 ? 100.0 : 0.0; });
    fill(in, "z", [](std::int64_t i) { return i % 2 == 0 ? -120.0 : 120.0; });
    fill(in, "delta_bias", [](std::int64_t) { return 0.0; });
  };
  expect_like_the_oracle<float, Lanes16>(sizes(1, 40, 33, 16), steep);
}

TEST(SelectiveBack, DoesNotDependOnWhichWarpIsAhead) {
  for (const std::uint64_t seed : {2, 3, 4}) Backward<Bf16, Lanes16>(sizes(1, 50, 32, 16), false, nullptr).expect_the_oracles_answer(seed);
}

}  // namespace
}  // namespace bench::scan
