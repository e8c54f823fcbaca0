// SPDX-License-Identifier: Apache-2.0
// Every registered ssd kernel against the fp64 oracle: a new kernel file is covered as soon as it is built.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::scan {
namespace {

struct Size {
  std::int64_t batch, seq, heads, head_dim, state, groups, threads;
};

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 1, 1, 1},       // the smallest
    {1, 63, 1, 31, 15, 1, 1},    // chunk of 64 steps - 1, grain of 32 elements - 1, panel of 16 states - 1
    {2, 64, 2, 32, 16, 1, 1},    // chunk, grain, panel
    {1, 65, 2, 33, 17, 2, 2},    // each + 1, a group for every head
    {1, 2, 3, 64, 128, 1, 2},    // the shape of models, a short sequence
    {1, 130, 2, 64, 128, 1, 1},  // two chunks and two steps of it
    {2, 67, 6, 5, 7, 3, 4},      // odd everywhere, two heads a group
    {1, 70, 1, 100, 9, 1, 3},    // one head for three threads: strips of its elements, the last ragged
    {1, 5, 1, 200, 3, 1, 1},     // strips because a head is wide
    {1, 3, 1, 2, 300, 1, 2},     // many states, more threads than strips
    {1, 300, 4, 64, 128, 1, 2},  // the shape of models, over three of LibTorch's chunks of 128
    {1, 1000, 1, 8, 4, 1, 1},    // long
};

Params params_of(const Size& size, const std::string& dtype) {
  return {{"batch", size.batch},       {"seq", size.seq},     {"heads", size.heads},
          {"head_dim", size.head_dim}, {"state", size.state}, {"groups", size.groups},
          {"threads", size.threads},   {"dtype", dtype}};
}

/// Decays from none to total, and changes from one to the other inside a chunk.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"dt around softplus' threshold",
       [](Tensors& in) { fill(in, "dt", [](std::int64_t i) { return 18.0 + static_cast<double>(i % 9); }); }},
      {"dt = 1000: every decay is zero",
       [](Tensors& in) { fill(in, "dt", [](std::int64_t) { return 1000.0; }); }},
      {"dt large now and then",
       [](Tensors& in) { fill(in, "dt", [](std::int64_t i) { return i % 31 == 0 ? 90.0 : -1.0; }); }},
      {"dt = -100: no step at all", [](Tensors& in) { fill(in, "dt", [](std::int64_t) { return -100.0; }); }},
      {"decays that add up far beyond e^-88 in a chunk",
       [](Tensors& in) {
         fill(in, "dt", [](std::int64_t) { return 2.0; });
         fill(in, "A", [](std::int64_t) { return -3.0; });
         fill(in, "dt_bias", [](std::int64_t) { return 0.0; });
       }},
      {"no input: states fade away, but one head's, which sets the scale",
       [](Tensors& in) {
         fill(in, "x", [](std::int64_t) { return 0.0; });
         fill(in, "dt", [](std::int64_t) { return 3.0; });
         fill(in, "A", [](std::int64_t h) { return h == 0 ? -0.01 : -1.0; });
       }},
      {"A = 0: nothing is forgotten", [](Tensors& in) { fill(in, "A", [](std::int64_t) { return 0.0; }); }},
      {"an outlier that the decay must hide again",
       [](Tensors& in) { fill(in, "x", [](std::int64_t i) { return i == 40 ? 1000.0 : 1.0; }); }},
  };
  return list;
}

/// With z, also at its ends.
void check_gated(const Kernel& kernel, const std::string& dtype) {
  Params params = params_of({2, 67, 6, 5, 7, 3, 4}, dtype);
  params["gated"] = true;
  expect_like_oracle(kernel, params);
  expect_like_oracle(kernel, params, [](Tensors& in) {
    fill(in, "z", [](std::int64_t i) { return i % 3 == 0 ? -200.0 : i % 3 == 1 ? 0.0 : 50.0; });
  });
}

/// Limits that hold some steps from below and some from above; and all of them.
void check_limited(const Kernel& kernel, const std::string& dtype) {
  Params params = params_of({2, 67, 6, 5, 7, 3, 4}, dtype);
  for (const char* limits : {"0.01:0.1", "0:0.05", "0.5:inf", "2:3"}) {
    params["dt_limit"] = std::string(limits);
    expect_like_oracle(kernel, params);
  }
}

class SsdConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

TEST_P(SsdConformance, EqualsTheOracle) {
  const auto& [kernel, dtype] = GetParam();
  for (const Size& size : kSizes) expect_like_oracle(*kernel, params_of(size, dtype));
  check_gated(*kernel, dtype);
  check_limited(*kernel, dtype);
  for (const auto& [what, spoil] : hard_values()) {
    SCOPED_TRACE(what);
    expect_like_oracle(*kernel, params_of({1, 150, 3, 20, 16, 1, 2}, dtype), spoil);  // over two chunk ends
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, SsdConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("ssd")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

// Common values only: LibTorch's form takes differences of sums over 128 steps, and where single steps of
// 1000 stand among them, their rounding is 2e-4 of a decay. That is the form's nature; a run of such data is
// a failed row.
TEST(SsdTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : kernels_of("ssd")) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const std::string& dtype : all_dtypes()) {
      for (const Size& size : kSizes) expect_like_oracle(*kernel, params_of(size, dtype));
      check_gated(*kernel, dtype);
      check_limited(*kernel, dtype);
    }
  }
  EXPECT_GE(tested, 1);
}

}  // namespace
}  // namespace bench::scan
