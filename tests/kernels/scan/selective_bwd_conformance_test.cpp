// SPDX-License-Identifier: Apache-2.0
// Every registered backward kernel of the selective scan against the fp64 oracle: a new kernel file is
// covered as soon as it is built.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::scan {
namespace {

struct Size {
  std::int64_t batch, seq, channels, state, groups, threads;
};

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 1, 1},      // the smallest
    {1, 63, 15, 16, 1, 1},   // block of 64 steps - 1, of 16 channels - 1
    {2, 64, 16, 16, 1, 1},   // whole blocks
    {1, 65, 17, 17, 1, 2},   // each + 1
    {2, 19, 36, 4, 3, 2},    // groups of 12 channels: no block may cross a group; threads share a group
    {1, 9, 6, 5, 6, 3},      // a group for every channel
    {1, 20, 40, 64, 2, 3},   // four vectors of states; threads share both groups
    {1, 7, 5, 257, 1, 1},    // more states than the forward engine takes
    {1, 300, 16, 16, 1, 3},  // one block of channels for three threads: two have nothing to do
    {3, 200, 50, 3, 1, 4},   // batch, ragged everywhere
};

Params params_of(const Size& size, const std::string& dtype) {
  return {{"pass", std::string("bwd")}, {"batch", size.batch}, {"seq", size.seq},
          {"channels", size.channels},  {"state", size.state}, {"groups", size.groups},
          {"threads", size.threads},    {"dtype", dtype}};
}

struct Hard {
  const char* what;
  bool fits_fp16;  // no gradient leaves the range of fp16 altogether
  Spoil spoil;
};

/// Steps so long or short that exponents leave the range of exp2, thresholds from both sides, and gates at
/// their ends; now and then an ordinary step, so that no gradient vanishes everywhere and something is left
/// to compare.
const std::vector<Hard>& hard_values() {
  const auto step_of = [](const Tensors& in, std::int64_t i) {
    return i / in["delta"].shape()[2] % in["delta"].shape()[1];
  };
  static const std::vector<Hard> list{
      {"delta around the threshold", false,
       [](Tensors& in) {
         fill(in, "delta", [](std::int64_t i) { return 18.0 + static_cast<double>(i % 9); });
         fill(in, "A", [](std::int64_t i) { return -0.01 * static_cast<double>(1 + i % 3); });
       }},
      {"delta = 1000 but at every third step: the decays are zero", false,
       [step_of](Tensors& in) {
         fill(in, "delta", [&](std::int64_t i) { return step_of(in, i) % 3 == 0 ? -1.0 : 1000.0; });
       }},
      {"delta large now and then", false,
       [](Tensors& in) { fill(in, "delta", [](std::int64_t i) { return i % 31 == 0 ? 90.0 : -1.0; }); }},
      {"delta = -30: hardly a step at all", false,
       [](Tensors& in) { fill(in, "delta", [](std::int64_t) { return -30.0; }); }},
      {"gates at their ends", true,
       [](Tensors& in) {
         fill(in, "z", [](std::int64_t i) { return i % 3 == 0 ? -200.0 : i % 3 == 1 ? 0.0 : 50.0; });
       }},
      {"no input: states fade away", true,
       [](Tensors& in) {
         fill(in, "u", [](std::int64_t) { return 0.0; });
         fill(in, "delta", [](std::int64_t) { return 3.0; });
       }},
      {"A = 0", true, [](Tensors& in) { fill(in, "A", [](std::int64_t) { return 0.0; }); }},
  };
  return list;
}

void check_hard(const Kernel& kernel, const Params& params) {
  const bool fp16 = std::get<std::string>(params.at("dtype")) == "fp16";
  for (const Hard& hard : hard_values()) {
    SCOPED_TRACE(hard.what);
    if (hard.fits_fp16 || !fp16) expect_like_oracle(kernel, params, hard.spoil);
  }
}

class SelectiveBwdConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

void check(const Kernel& kernel, const std::string& dtype) {
  for (const Size& size : kSizes) {
    expect_like_oracle(kernel, params_of(size, dtype));
    for (const Params& form : in_selective_forms(params_of(size, dtype))) expect_like_oracle(kernel, form);
  }
  for (const Params& form : in_selective_forms(params_of({1, 70, 6, 5, 1, 1}, dtype))) check_hard(kernel, form);
  check_hard(kernel, params_of({1, 100, 20, 16, 1, 1}, dtype));
  check_hard(kernel, params_of({1, 150, 36, 5, 2, 3}, dtype));
}

TEST_P(SelectiveBwdConformance, EqualsTheOracle) {
  check(*std::get<0>(GetParam()), std::get<1>(GetParam()));
}

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(SelectiveBwdTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : kernels_of("selective", false, "bwd")) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const std::string& dtype : all_dtypes()) check(*kernel, dtype);
  }
  EXPECT_GE(tested, 1);
}

INSTANTIATE_TEST_SUITE_P(Kernels, SelectiveBwdConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("selective", false, "bwd")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

class SelectiveBwdAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, int>> {};

TEST_P(SelectiveBwdAcrossRanks, EqualsTheOracle) {
  const auto& [kernel, ranks] = GetParam();
  constexpr Size kShares[] = {
      {1, 1, 3, 2, 1, 1},      // all ranks but the first hold nothing
      {2, 5, 17, 16, 1, 1},    // shorter than 8 ranks
      {2, 101, 24, 5, 2, 2},   // ragged for every P
      {1, 960, 16, 16, 1, 1},  // even shares of more than a block
  };
  for (const std::string& dtype : all_dtypes()) {
    for (const Size& size : kShares) {
      Params params = params_of(size, dtype);
      params["ranks"] = std::int64_t{ranks};
      expect_like_oracle(*kernel, params);
      if (size.seq == 101) check_hard(*kernel, params);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, SelectiveBwdAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("selective", true, "bwd")),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_P" +
                                  std::to_string(std::get<1>(which.param));
                         });

// Sums that depended on which thread comes first would differ now and then.
TEST(SelectiveBwdConformance, GivesTheSameBitsEveryTime) {
  const Op& op = support::find_op("selective");
  for (const Kernel* kernel : kernels_of("selective", true, "bwd")) {
    Params params = params_of({1, 200, 70, 16, 1, 3}, "fp32");
    params["ranks"] = std::int64_t{3};
    const auto problem = op.parse(params_with(op, params));
    const Tensors in = support::make_inputs(op, *problem, 5);
    const Tensors first = run_on_threads(*kernel, *problem, in);
    for (int again = 0; again < 5; ++again) {
      const Tensors out = run_on_threads(*kernel, *problem, in);
      for (const auto& [name, tensor] : first.all())
        EXPECT_EQ(std::memcmp(tensor.data(), out[name].data(), static_cast<std::size_t>(tensor.bytes())), 0)
            << kernel->name << " " << name;
    }
  }
}

/// Steps [begin, end) of a backward problem's inputs, from state h0 and with the gradient behind them.
Tensors part_of_inputs(const Op& op, const Problem& whole, const Tensors& in, std::int64_t begin,
                       std::int64_t end, const Tensor& h0, const Tensor& dh_last) {
  const auto rows = row_range(begin, end);
  Tensors part;
  for (const TensorSpec& spec : op.inputs(whole)) {
    const Tensor& from = spec.name == "h0" ? h0 : spec.name == "dh_last" ? dh_last : in[spec.name];
    part.add(spec.name, support::take(from, spec.sequence_axis, rows));
  }
  return part;
}

TEST(SelectiveBwdConformance, TheGradientHandedOnContinuesTheSequence) {
  constexpr std::int64_t kCut = 83, kSeq = 170;  // neither at a block's edge
  const Op& op = support::find_op("selective");
  const auto problem_of = [&](std::int64_t seq, const std::string& pass) {
    Params params = params_of({2, seq, 20, 6, 2, 2}, "fp64");
    params["pass"] = pass;
    return op.parse(params_with(op, params));
  };
  const auto whole_problem = problem_of(kSeq, "bwd"), head_problem = problem_of(kCut, "bwd"),
             tail_problem = problem_of(kSeq - kCut, "bwd");
  const Tensors in = support::make_inputs(op, *whole_problem, 7);
  const Tensors head_in = part_of_inputs(op, *whole_problem, in, 0, kCut, in["h0"], in["dh_last"]);
  const Tensors middle = op.reference(*problem_of(kCut, "fwd"), head_in, row_range(0, kCut));
  for (const Kernel* kernel : kernels_of("selective", false, "bwd")) {
    const Tensors whole = run_on_threads(*kernel, *whole_problem, in);
    const Tensors tail =
        run_on_threads(*kernel, *tail_problem,
                       part_of_inputs(op, *whole_problem, in, kCut, kSeq, middle["h_last"], in["dh_last"]));
    const Tensors head = run_on_threads(
        *kernel, *head_problem, part_of_inputs(op, *whole_problem, in, 0, kCut, in["h0"], tail["dh0"]));
    for (const char* name : {"dA", "dD", "ddelta_bias"})  // sums over all steps
      for (std::int64_t i = 0; i < whole[name].count(); ++i)
        EXPECT_NEAR(head[name].at(i) + tail[name].at(i), whole[name].at(i), 1e-10) << kernel->name << name;
    for (const char* name : {"du", "ddelta", "dz", "dB", "dC"}) {
      const Tensor first = support::take(whole[name], 1, row_range(0, kCut));
      const Tensor second = support::take(whole[name], 1, row_range(kCut, kSeq));
      for (std::int64_t i = 0; i < first.count(); ++i)
        ASSERT_NEAR(head[name].at(i), first.at(i), 1e-11) << kernel->name << " " << name;
      for (std::int64_t i = 0; i < second.count(); ++i)
        ASSERT_NEAR(tail[name].at(i), second.at(i), 1e-11) << kernel->name << " " << name;
    }
    for (std::int64_t i = 0; i < whole["dh0"].count(); ++i)
      EXPECT_NEAR(head["dh0"].at(i), whole["dh0"].at(i), 1e-11) << kernel->name;
  }
}

}  // namespace
}  // namespace bench::scan
