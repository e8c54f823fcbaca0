// SPDX-License-Identifier: Apache-2.0
// Every registered backward kernel of the recurrence against the fp64 oracle: a new kernel file is covered as
// soon as it is built.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::scan {
namespace {

struct Size {
  std::int64_t batch, seq, channels, threads;
};

constexpr Size kSizes[] = {
    {1, 1, 1, 1},       // the smallest: h0 is the only state before a step
    {1, 1, 33, 3},      // fewer steps than threads: chunks without a step
    {2, 7, 15, 1},      // vector of 16 lanes - 1
    {1, 64, 16, 1},     // whole vectors
    {3, 5, 17, 2},      // vector + 1; batch entries do not divide among the threads
    {4, 9, 20, 2},      // batch entries divide among the threads: no carries
    {1, 3, 2047, 2},    // strip of channels - 1
    {1, 2, 2049, 1},    // strip + 1: two strips, the second of one channel
    {2, 40, 3100, 3},   // long rows: threads cut the channels, into ragged pieces
    {1, 800, 1000, 3},  // short rows: windows of 3 x 65 (fp32) or 131 (16-bit) steps, a ragged one at the end
    {1, 1001, 13, 4},   // long and odd
};

Params params_of(const Size& size, const std::string& dtype) {
  return {{"pass", std::string("bwd")}, {"batch", size.batch},     {"seq", size.seq},
          {"channels", size.channels},  {"threads", size.threads}, {"dtype", dtype}};
}

/// Sets a by step: all channels and entries alike.
void set_decays(Tensors& in, const std::function<double(std::int64_t step)>& decay) {
  const Shape shape = in["a"].shape();
  fill(in, "a", [&](std::int64_t i) { return decay(i / shape[2] % shape[1]); });
}

/// Decays that have broken scans. The first decay stays ordinary where others vanish, as dh0 is its multiple
/// and nothing of it would be left to compare.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"a = 0", [](Tensors& in) { set_decays(in, [](std::int64_t) { return 0.0; }); }},
      {"a = 0 now and then",
       [](Tensors& in) { set_decays(in, [](std::int64_t t) { return t % 37 == 1 ? 0.0 : 0.99; }); }},
      {"a = 1", [](Tensors& in) { set_decays(in, [](std::int64_t) { return 1.0; }); }},
      {"a tiny, no gradient before the end",  // what runs back passes through the denormal numbers to zero
       [](Tensors& in) {
         const Shape shape = in["dh"].shape();
         set_decays(in, [](std::int64_t) { return 1e-3; });
         fill(in, "dh", [&](std::int64_t i) { return i / shape[2] % shape[1] % 50 == 0 ? 1.0 : 0.0; });
       }},
      {"a denormal in fp32",
       [](Tensors& in) { set_decays(in, [](std::int64_t t) { return t == 0 ? 0.5 : 1e-40; }); }},
      {"a of both signs",
       [](Tensors& in) {
         set_decays(in, [](std::int64_t t) { return std::sin(static_cast<double>(t) + 0.5); });
       }},
  };
  return list;
}

class RecurrenceBwdConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

/// The same problem with time as the last axis, for the kernels that take it.
Params time_last(Params params) {
  params["time_axis"] = std::string("last");
  return params;
}

void check(const Kernel& kernel, const std::string& dtype) {
  for (const Size& size : kSizes) {
    expect_like_oracle(kernel, params_of(size, dtype));
    expect_like_oracle(kernel, time_last(params_of(size, dtype)));
  }
  for (const auto& [what, spoil] : hard_values()) {
    SCOPED_TRACE(what);
    for (const std::int64_t threads : {1, 3}) {
      expect_like_oracle(kernel, params_of({2, 300, 19, threads}, dtype), spoil);
      expect_like_oracle(kernel, time_last(params_of({2, 300, 19, threads}, dtype)), spoil);
    }
  }
}

TEST_P(RecurrenceBwdConformance, EqualsTheOracle) {
  check(*std::get<0>(GetParam()), std::get<1>(GetParam()));
}

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(RecurrenceBwdTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : kernels_of("recurrence", false, "bwd")) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const std::string& dtype : all_dtypes()) check(*kernel, dtype);
  }
  EXPECT_GE(tested, 2);
}

INSTANTIATE_TEST_SUITE_P(Kernels, RecurrenceBwdConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("recurrence", false, "bwd")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

// Large enough that outputs are written past the caches (more than 4 MB each), rows on 16 bytes as that
// needs; once with several threads.
TEST(RecurrenceBwdConformance, HoldsForOutputsLargerThanTheCaches) {
  for (const Kernel* kernel : kernels_of("recurrence", false, "bwd")) {
    expect_like_oracle(*kernel, params_of({1, 1100, 1040, 2}, "fp32"));
    expect_like_oracle(*kernel, params_of({1, 2200, 1040, 1}, "bf16"));
    expect_like_oracle(*kernel, time_last(params_of({1, 1040, 1100, 2}, "fp32")));  // lines of whole vectors
    expect_like_oracle(*kernel, time_last(params_of({1, 1041, 1100, 1}, "fp32")));  // and not
  }
}

/// Steps [begin, end) of a backward problem's inputs: the state before them is h, what follows them
/// `dh_last`.
Tensors part_of_inputs(const Tensors& whole, std::int64_t begin, std::int64_t end, const Tensor& dh_last) {
  const auto rows = row_range(begin, end);
  Tensors in;
  for (const char* name : {"a", "h", "dh"}) in.add(name, support::take(whole[name], 1, rows));
  Tensor& before = in.add("h0", support::take(whole["h0"], -1, rows));
  const std::int64_t channels = whole["h"].shape()[2];
  for (std::int64_t c = 0; begin > 0 && c < channels; ++c)
    before.set(c, whole["h"].at((begin - 1) * channels + c));
  in.add("dh_last", support::take(dh_last, -1, rows));
  return in;
}

TEST(RecurrenceBwdConformance, TheGradientHandedOnContinuesTheSequence) {
  constexpr std::int64_t kCut = 150, kSeq = 333, kChannels = 21;
  const Op& op = support::find_op("recurrence");
  const auto problem_of = [&](std::int64_t seq) {
    return op.parse(params_with(op, params_of({1, seq, kChannels, 1}, "fp32")));
  };
  const auto whole_problem = problem_of(kSeq), head_problem = problem_of(kCut),
             tail_problem = problem_of(kSeq - kCut);
  const Tensors in = support::make_inputs(op, *whole_problem, 7);
  for (const Kernel* kernel : kernels_of("recurrence", false, "bwd")) {
    if (kernel->backend != Backend::cpu || !supports_case(*kernel, *whole_problem).empty()) continue;
    const Tensors whole = run_on_threads(*kernel, *whole_problem, in);
    const Tensors tail =
        run_on_threads(*kernel, *tail_problem, part_of_inputs(in, kCut, kSeq, in["dh_last"]));
    const Tensors head = run_on_threads(*kernel, *head_problem, part_of_inputs(in, 0, kCut, tail["dh0"]));
    for (const char* name : {"da", "db"})
      for (std::int64_t i = 0; i < kSeq * kChannels; ++i)
        ASSERT_EQ(i < kCut * kChannels ? head[name].at(i) : tail[name].at(i - kCut * kChannels),
                  whole[name].at(i))
            << kernel->name << " " << name << "[" << i << "]: one thread has one order of operations";
    for (std::int64_t c = 0; c < kChannels; ++c)
      EXPECT_EQ(head["dh0"].at(c), whole["dh0"].at(c)) << kernel->name;
  }
}

class RecurrenceBwdAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, int>> {};

TEST_P(RecurrenceBwdAcrossRanks, EqualsTheOracle) {
  const auto& [kernel, ranks] = GetParam();
  constexpr Size kShares[] = {
      {1, 1, 5, 1},     // all ranks but the first hold nothing
      {2, 5, 33, 1},    // shorter than 8 ranks
      {2, 103, 40, 2},  // ragged for every P
      {1, 960, 64, 1},  // even shares
  };
  for (const std::string& dtype : all_dtypes()) {
    for (const Size& size : kShares) {
      Params params = params_of(size, dtype);
      params["ranks"] = std::int64_t{ranks};
      expect_like_oracle(*kernel, params);
      for (const auto& [what, spoil] : hard_values()) {
        SCOPED_TRACE(what);
        if (size.seq == 103) expect_like_oracle(*kernel, params, spoil);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, RecurrenceBwdAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("recurrence", true, "bwd")),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_P" +
                                  std::to_string(std::get<1>(which.param));
                         });

}  // namespace
}  // namespace bench::scan
