// SPDX-License-Identifier: Apache-2.0
// Every registered recurrence kernel against the fp64 oracle: a new kernel file is covered as soon as it is
// built.
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
    {1, 1, 1, 1},       // the smallest
    {1, 1, 33, 3},      // fewer steps than threads: chunks without a step
    {2, 7, 15, 1},      // vector of 16 lanes - 1
    {1, 64, 16, 1},     // whole vectors
    {3, 5, 17, 2},      // vector + 1; batch entries do not divide among the threads
    {4, 9, 20, 2},      // batch entries divide among the threads: no carries
    {1, 3, 4095, 2},    // strip of channels - 1
    {1, 2, 4097, 1},    // strip + 1: two strips, the second of one channel
    {2, 40, 3100, 3},   // long rows: threads cut the channels, into ragged pieces
    {1, 800, 1000, 3},  // short rows: windows of 3 x 65 (fp32) or 131 (16-bit) steps, a ragged one at the end
    {1, 1001, 13, 4},   // long and odd
};

Params params_of(const Size& size, const std::string& dtype) {
  return {{"batch", size.batch},
          {"seq", size.seq},
          {"channels", size.channels},
          {"threads", size.threads},
          {"dtype", dtype}};
}

/// Decays that have broken scans: resets, decays whose products are denormal or vanish, no decay at all, and
/// changing signs.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"a = 0", [](Tensors& in) { fill(in, "a", [](std::int64_t) { return 0.0; }); }},
      {"a = 0 now and then",
       [](Tensors& in) { fill(in, "a", [](std::int64_t i) { return i % 37 == 0 ? 0.0 : 0.99; }); }},
      {"a = 1", [](Tensors& in) { fill(in, "a", [](std::int64_t) { return 1.0; }); }},
      {"a tiny, no input before the last step",  // states pass through the denormal numbers to zero; h_last
                                                 // is 1
       [](Tensors& in) {
         const Shape shape = in["b"].shape();
         fill(in, "a", [](std::int64_t) { return 1e-3; });
         fill(in, "b", [&](std::int64_t i) { return i / shape[2] % shape[1] == shape[1] - 1 ? 1.0 : 0.0; });
       }},
      {"a denormal in fp32", [](Tensors& in) { fill(in, "a", [](std::int64_t) { return 1e-40; }); }},
      {"a of both signs",
       [](Tensors& in) { fill(in, "a", [](std::int64_t i) { return std::sin(static_cast<double>(i)); }); }},
  };
  return list;
}

/// The same sizes and values with time as the last axis, for the kernels that take it.
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

class RecurrenceConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

TEST_P(RecurrenceConformance, EqualsTheOracle) {
  check(*std::get<0>(GetParam()), std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Kernels, RecurrenceConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("recurrence")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

// Large enough that outputs are written past the caches (more than 4 MB), rows on 16 bytes as that needs;
// once with several threads.
TEST(RecurrenceConformance, HoldsForOutputsLargerThanTheCaches) {
  for (const Kernel* kernel : kernels_of("recurrence")) {
    expect_like_oracle(*kernel, params_of({1, 1100, 1040, 2}, "fp32"));
    expect_like_oracle(*kernel, params_of({1, 2200, 1040, 1}, "bf16"));
    expect_like_oracle(*kernel, time_last(params_of({1, 1040, 1100, 2}, "fp32")));  // lines of whole vectors
    expect_like_oracle(*kernel, time_last(params_of({1, 1041, 1100, 1}, "fp32")));  // and not
  }
}

TEST(RecurrenceConformance, StateHandedOnContinuesTheSequence) {
  constexpr std::int64_t kCut = 150, kSeq = 333, kChannels = 21;
  const Op& op = support::find_op("recurrence");
  const auto whole_problem = op.parse(params_with(op, params_of({1, kSeq, kChannels, 1}, "fp32")));
  const Tensors whole_in = support::make_inputs(op, *whole_problem, 7);
  std::vector<std::int64_t> head, tail;
  for (std::int64_t t = 0; t < kSeq; ++t) (t < kCut ? head : tail).push_back(t);
  for (const Kernel* kernel : kernels_of("recurrence")) {
    if (kernel->backend != Backend::cpu || !supports_case(*kernel, *whole_problem).empty()) continue;
    const Tensors whole = run_on_threads(*kernel, *whole_problem, whole_in);
    Tensors state;
    state.add("h_last", support::take(whole_in["h0"], -1, head));
    Tensors part;
    for (const auto& steps : {head, tail}) {
      const auto length = static_cast<std::int64_t>(steps.size());
      const auto p = op.parse(params_with(op, params_of({1, length, kChannels, 1}, "fp32")));
      Tensors in;
      for (const char* name : {"a", "b"}) in.add(name, support::take(whole_in[name], 1, steps));
      in.add("h0", support::take(state["h_last"], -1, steps));
      part = run_on_threads(*kernel, *p, in);
      state = Tensors();
      state.add("h_last", support::take(part["h_last"], -1, steps));
    }
    for (std::int64_t c = 0; c < kChannels; ++c)
      EXPECT_EQ(part["h_last"].at(c), whole["h_last"].at(c))
          << kernel->name << " on one thread has one order of operations";
  }
}

class RecurrenceAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, int>> {};

TEST_P(RecurrenceAcrossRanks, EqualsTheOracle) {
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

INSTANTIATE_TEST_SUITE_P(Kernels, RecurrenceAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("recurrence", true)),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_P" +
                                  std::to_string(std::get<1>(which.param));
                         });

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(RecurrenceTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : kernels_of("recurrence")) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const std::string& dtype : all_dtypes()) check(*kernel, dtype);
  }
  EXPECT_GE(tested, 1);
}

}  // namespace
}  // namespace bench::scan
