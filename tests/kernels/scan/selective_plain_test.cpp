// SPDX-License-Identifier: Apache-2.0
// The device's plain bodies of the selective scan, which take every form, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/selective_plain.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <numbers>

#include "kernels/scan/selective_plain_back.hpp"
#include "tests/kernels/scan/selective_host.hpp"

namespace bench::scan {
namespace {

using test::sizes;
using Machine = support::HostMachine;

using Few = LaneShape<4, 4, 1>;     // 32 channels a block, stages of 16 steps
using Wide = LaneShape<4, 32, 1>;   // 4 channels
using Widest = LaneShape<8, 32, 1>;  // stages of 8

/// A problem, its job, and what a backward pass leaves between its launches.
class Plain {
 public:
  explicit Plain(const Params& params, const Spoil& spoil = nullptr) : case_(params, spoil), job_(selective_plain_job(case_.p(), case_.job())) {}

  template <class T, class Shape, class N>
  void expect_forward(std::uint64_t seed) {
    test::run_body<SelectivePlain<Machine, T, Shape, N, false>>(job_, seed);
    case_.expect_the_oracles_answer();
  }

  template <class T, class Shape, class N>
  void expect_backward(std::uint64_t seed) {
    const SelectiveProblem& p = case_.p();
    set_tensors();
    const std::int64_t channels = p.batch * p.channels, pieces = ceil_div(p.group_channels(), Shape::kChannels);
    const std::int64_t mixers = p.batch * p.seq * p.groups * job_.state;
    job_.states = grow(states_, channels * job_.state * ceil_div(p.seq, Shape::kMarkSteps));
    job_.da = grow(da_, channels * job_.state);
    job_.dskip = grow(dskip_, channels);
    job_.dbias = grow(dbias_, channels);
    job_.db = grow(db_, p.constant_b ? channels * job_.state : pieces * mixers);
    job_.dc = grow(dc_, p.constant_c ? channels * job_.state : pieces * mixers);
    job_.piece = mixers;
    test::run_body<SelectivePlain<Machine, T, Shape, N, true>>(job_, seed);
    test::run_body<SelectivePlainBack<Machine, T, Shape, N>>(job_, seed);
    for (const auto& [name, parts] : {std::pair{"dA", &da_}, {"dB", &db_}, {"dC", &dc_}, {"dD", &dskip_}, {"ddelta_bias", &dbias_}}) add_up(*parts, case_.outputs[name]);
    case_.expect_the_oracles_answer();
  }

 private:
  static float* grow(std::vector<float>& numbers, std::int64_t count) {
    numbers.assign(static_cast<std::size_t>(count), std::numeric_limits<float>::quiet_NaN());
    return numbers.data();
  }
  static void add_up(const std::vector<float>& parts, Tensor& to) {
    const OrderedSum job{parts.data(), to.as<float>(), to.count(), static_cast<int>(std::ssize(parts) / to.count())};
    support::run_blocks(static_cast<int>(job.blocks()), OrderedSum::kThreads, 0, 1, [&] { job.run<Machine>(); });
  }
  void set_tensors() {
    Tensors &in = case_.inputs, &out = case_.outputs;
    job_.dout = in["dout"].data();
    job_.dh_last = in["dh_last"].as<float>();
    job_.du = out["du"].data(), job_.ddelta = out["ddelta"].data(), job_.dz = out["dz"].data();
    job_.dh0 = out["dh0"].as<float>();
  }

  test::HostSelective case_;
  SelectivePlainJob job_;
  std::vector<float> states_, da_, db_, dc_, dskip_, dbias_;
};

template <class T, class Shape>
void expect_like_the_oracle(Params params, const Spoil& spoil = nullptr, std::uint64_t seed = 1) {
  const bool complex = params.contains("complex") && std::get<bool>(params["complex"]);
  for (const char* pass : {"fwd", "bwd"}) {
    params["pass"] = std::string(pass);
    SCOPED_TRACE(text_of(params));
    Plain c(test::typed<T>(params), spoil);
    const auto with = [&]<class N>() { std::string(pass) == "fwd" ? c.expect_forward<T, Shape, N>(seed) : c.expect_backward<T, Shape, N>(seed); };
    complex ? with.template operator()<ComplexNumber>() : with.template operator()<float>();
  }
}

Params complex(Params params) {
  params["complex"] = true;
  return params;
}

TEST(SelectivePlain, EqualsTheOracleAtEveryEdgeOfAStage) {
  for (const std::int64_t seq : {1, 15, 16, 17, 40}) {
    expect_like_the_oracle<float, Few>(sizes(2, seq, 40, 16));  // 40 channels: a block and a quarter
    expect_like_the_oracle<float, Few>(complex(sizes(2, seq, 40, 8)));
  }
}

TEST(SelectivePlain, TakesEveryFormOfMixersAndStates) {
  for (const Params& form : in_selective_forms(sizes(2, 37, 40, 7, 2))) {  // 20 channels a group
    expect_like_the_oracle<float, Few>(form);
    expect_like_the_oracle<Bf16, Few>(form);
  }
}

TEST(SelectivePlain, TakesEveryShapeOfLanes) {
  expect_like_the_oracle<F16, Few>(sizes(1, 19, 7, 3));
  expect_like_the_oracle<Bf16, Few>(complex(sizes(1, 19, 33, 5)));
  expect_like_the_oracle<float, Wide>(sizes(1, 19, 9, 100));
  expect_like_the_oracle<Bf16, Wide>(complex(sizes(1, 35, 9, 33)));
  expect_like_the_oracle<float, Widest>(sizes(1, 19, 5, 200));
  for (const Params& form : in_selective_forms(sizes(1, 11, 5, 128))) expect_like_the_oracle<float, Widest>(form);
}

TEST(SelectivePlain, BeginsPackedSequencesAtZero) {
  for (const std::int64_t segments : {7, 70})  // 70: each step a sequence
    for (const Params& form : in_selective_forms(sizes(2, 70, 20, 5, 2, segments))) expect_like_the_oracle<float, Few>(form);
}

TEST(SelectivePlain, KeepsWhatUnderflowsAndOverflowsApart) {
  const auto steep = [](Tensors& in) {
    fill(in, "delta", [](std::int64_t i) { return i % 3 == 0 ? -100.0 : i % 3 == 1 ? 100.0 : 0.0; });  // complex: turns of a thousand radians, of which nothing is left
    fill(in, "z", [](std::int64_t i) { return i % 2 == 0 ? -120.0 : 120.0; });
    fill(in, "delta_bias", [](std::int64_t) { return 0.0; });
  };
  for (const Params& form : in_selective_forms(sizes(1, 40, 33, 8))) expect_like_the_oracle<float, Few>(form, steep);
}

// As S4D begins: -1/2 + i pi n, which turns the last state by half a turn and more in a step.
TEST(SelectivePlain, TurnsStatesEitherWay) {
  const auto lines = [](Tensors& in) {
    fill(in, "A", [](std::int64_t i) { return i % 2 == 0 ? -0.5 : (i / 2 % 2 == 0 ? 1.0 : -1.0) * std::numbers::pi * static_cast<double>(i / 2 % 8); });
    fill(in, "delta_bias", [](std::int64_t) { return -2.0; });
  };
  expect_like_the_oracle<float, Few>(complex(sizes(1, 100, 20, 8)), lines);
}

TEST(SelectivePlain, DoesNotDependOnWhichWarpIsAhead) {
  for (const std::uint64_t seed : {2, 3, 4})
    for (const Params& form : in_selective_forms(sizes(1, 50, 32, 4))) expect_like_the_oracle<Bf16, Few>(form, nullptr, seed);
}

TEST(SelectivePlain, AddsUpAMillionStepsWithoutLosingDigits) {
  CarefulSum sum;
  double want = 0.0;
  for (int i = 0; i < 1'000'000; ++i) {
    const float x = 1.0F + 1e-3F * static_cast<float>(i % 7);
    sum.add(x);
    want += static_cast<double>(x);
  }
  EXPECT_NEAR(static_cast<double>(sum.sum) / want, 1.0, 1e-7) << "plain additions are off by 1e-4";
}

// Reduced in turns, an angle has all the digits that fp32 leaves it, however many turns it is.
TEST(LaneTurns, HaveTheDigitsOfSineAndCosine) {
  double worst = 0.0;
  for (float t = -3.0F; t < 3.0F; t += 0.000173F) {
    const ComplexNumber got = turned(t);
    const auto want = std::polar(1.0, 2.0 * std::numbers::pi * static_cast<double>(t));
    worst = std::max({worst, std::abs(static_cast<double>(got.re) - want.real()), std::abs(static_cast<double>(got.im) - want.imag())});
  }
  EXPECT_LE(worst, 1.5e-7);
  for (const float t : {0.0F, 1.0F, -2.0F, 1e4F, 3e9F}) {
    EXPECT_EQ(turned(t).re, 1.0F) << t;
    EXPECT_EQ(turned(t).im, 0.0F) << t;
  }
  EXPECT_EQ(turned(1e4F + 0.25F).im, 1.0F);
  EXPECT_EQ(turned(-0.25F).im, -1.0F);
  EXPECT_EQ(turned(0.5F).re, -1.0F);
}

}  // namespace
}  // namespace bench::scan
