// SPDX-License-Identifier: Apache-2.0
// Every registered selective kernel against the fp64 oracle: a new kernel file is covered as soon as it is
// built.
#include <gtest/gtest.h>

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
    {1, 1, 1, 1, 1, 1},       // the smallest
    {1, 15, 15, 16, 1, 1},    // tile of 16 steps - 1, pack of 16 channels - 1
    {2, 16, 16, 16, 1, 1},    // tile, pack, one block of states
    {1, 17, 17, 17, 1, 2},    // each + 1
    {1, 33, 1023, 4, 1, 1},   // strip of 1024 channels - 1
    {1, 5, 1025, 8, 1, 2},    // strip + 1
    {2, 19, 300, 16, 3, 2},   // groups of 100 channels: no strip may cross a group
    {1, 9, 6, 5, 6, 3},       // a group for every channel
    {1, 20, 1040, 16, 1, 3},  // the most states for a full strip; threads share it out
    {1, 18, 190, 100, 1, 2},  // more states: strips of 160 channels
    {1, 7, 33, 256, 1, 1},    // the most states the vector engine takes
    {1, 1000, 16, 16, 1, 3},  // one strip for three threads: time is cut, into ragged chunks
    {2, 700, 9, 3, 1, 8},     // time is cut, batch of 2
    {1, 60, 16, 2, 1, 4},     // too short to cut
};

Params params_of(const Size& size, const std::string& dtype) {
  return {{"batch", size.batch}, {"seq", size.seq},       {"channels", size.channels},
          {"state", size.state}, {"groups", size.groups}, {"threads", size.threads},
          {"dtype", dtype}};
}

/// Steps so long or short that exponents leave the range of exp2, thresholds from both sides, and gates at
/// their ends.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"delta around the threshold",
       [](Tensors& in) {
         fill(in, "delta", [](std::int64_t i) { return 18.0 + static_cast<double>(i % 9); });
       }},
      {"delta = 1000: every decay is zero",
       [](Tensors& in) { fill(in, "delta", [](std::int64_t) { return 1000.0; }); }},
      {"delta large now and then",
       [](Tensors& in) { fill(in, "delta", [](std::int64_t i) { return i % 31 == 0 ? 90.0 : -1.0; }); }},
      {"delta = -100: no step at all",
       [](Tensors& in) { fill(in, "delta", [](std::int64_t) { return -100.0; }); }},
      {"gates at their ends",
       [](Tensors& in) {
         fill(in, "z", [](std::int64_t i) { return i % 3 == 0 ? -200.0 : i % 3 == 1 ? 0.0 : 50.0; });
       }},
      {"no input: states fade away",
       [](Tensors& in) {
         fill(in, "u", [](std::int64_t) { return 0.0; });
         fill(in, "delta", [](std::int64_t) { return 3.0; });
       }},
      {"A = 0", [](Tensors& in) { fill(in, "A", [](std::int64_t) { return 0.0; }); }},
  };
  return list;
}

class SelectiveConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

void check(const Kernel& kernel, const std::string& dtype) {
  for (const Size& size : kSizes) {
    expect_like_oracle(kernel, params_of(size, dtype));
    if (size.seq * size.channels * size.state > 50'000) continue;  // the long ones are about time and strips, which the forms share
    for (const Params& form : in_selective_forms(params_of(size, dtype))) expect_like_oracle(kernel, form);
  }
  for (const auto& [what, spoil] : hard_values()) {
    SCOPED_TRACE(what);
    expect_like_oracle(kernel, params_of({1, 100, 20, 16, 1, 1}, dtype), spoil);
    expect_like_oracle(kernel, params_of({1, 200, 20, 5, 1, 3}, dtype), spoil);  // time is cut
    for (const Params& form : in_selective_forms(params_of({1, 50, 6, 5, 1, 1}, dtype))) expect_like_oracle(kernel, form, spoil);
  }
}

TEST_P(SelectiveConformance, EqualsTheOracle) {
  check(*std::get<0>(GetParam()), std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Kernels, SelectiveConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("selective")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(SelectiveTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : kernels_of("selective")) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const std::string& dtype : all_dtypes()) check(*kernel, dtype);
  }
  EXPECT_GE(tested, 2);
}

TEST(SelectiveConformance, DeclinesMoreStatesThanItHoldsInWords) {
  const Op& op = support::find_op("selective");
  const auto problem = op.parse(params_with(op, {{"state", std::int64_t{257}}}));
  const std::string reason = supports_case(support::find_kernel("scan/selective_chunked_cpu"), *problem);
  EXPECT_NE(reason.find("257"), std::string::npos) << reason;
}

class SelectiveAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, int>> {};

TEST_P(SelectiveAcrossRanks, EqualsTheOracle) {
  const auto& [kernel, ranks] = GetParam();
  constexpr Size kShares[] = {
      {1, 1, 3, 2, 1, 1},      // all ranks but the first hold nothing
      {2, 5, 17, 16, 1, 1},    // shorter than 8 ranks
      {2, 101, 24, 5, 2, 2},   // ragged for every P
      {1, 960, 16, 16, 1, 1},  // even shares
  };
  for (const std::string& dtype : all_dtypes()) {
    for (const Size& size : kShares) {
      Params params = params_of(size, dtype);
      params["ranks"] = std::int64_t{ranks};
      expect_like_oracle(*kernel, params);
      for (const auto& [what, spoil] : hard_values()) {
        SCOPED_TRACE(what);
        if (size.seq == 101) expect_like_oracle(*kernel, params, spoil);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, SelectiveAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("selective", true)),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_P" +
                                  std::to_string(std::get<1>(which.param));
                         });

}  // namespace
}  // namespace bench::scan
