// SPDX-License-Identifier: Apache-2.0
// Every registered backward kernel of the ssd op against the fp64 oracle: a new kernel file is covered as
// soon as it is built.
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
  std::int64_t batch, seq, heads, head_dim, state, groups, threads;
};

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 1, 1, 1},       // the smallest
    {1, 63, 1, 31, 15, 1, 1},    // chunk of 64 steps - 1, pair of vectors - 1, panel of 16 - 1
    {2, 64, 2, 32, 16, 1, 1},    // chunk, pair, panel
    {1, 65, 2, 33, 17, 2, 2},    // each + 1, a group for every head
    {1, 2, 3, 64, 128, 1, 2},    // the shape of models, a short sequence; two threads share a group
    {1, 130, 2, 64, 128, 1, 1},  // two chunks and two steps of it
    {2, 67, 6, 5, 7, 3, 4},      // odd everywhere, two heads a group
    {1, 70, 1, 100, 9, 1, 3},    // one head for three threads: two have nothing to do; a wide head
    {1, 5, 2, 3, 200, 1, 2},     // many states: strips of 64 of them, the last ragged
    {1, 300, 4, 16, 24, 1, 3},   // four heads for three threads, three of LibTorch's chunks of 128
    {1, 1000, 1, 8, 4, 1, 1},    // long
};

Params params_of(const Size& size, const std::string& dtype) {
  return {{"pass", std::string("bwd")}, {"batch", size.batch},       {"seq", size.seq},
          {"heads", size.heads},        {"head_dim", size.head_dim}, {"state", size.state},
          {"groups", size.groups},      {"threads", size.threads},   {"dtype", dtype}};
}

struct Hard {
  const char* what;
  bool fits_fp16;  // no gradient leaves the range of fp16 altogether
  Spoil spoil;
};

/// Decays from none to total, and changes from one to the other inside a chunk.
const std::vector<Hard>& hard_values() {
  const auto step_of = [](const Tensors& in, std::int64_t i) {
    return i / in["dt"].shape()[2] % in["dt"].shape()[1];
  };
  static const std::vector<Hard> list{
      {"dt around softplus' threshold", false,
       [](Tensors& in) {
         fill(in, "dt", [](std::int64_t i) { return 18.0 + static_cast<double>(i % 9); });
         fill(in, "A", [](std::int64_t h) { return -0.01 * static_cast<double>(1 + h); });
       }},
      {"dt = 1000 but at every third step: the decays are zero", false,
       [step_of](Tensors& in) {
         fill(in, "dt", [&](std::int64_t i) { return step_of(in, i) % 3 == 0 ? -1.0 : 1000.0; });
       }},
      {"dt large now and then", false,
       [](Tensors& in) { fill(in, "dt", [](std::int64_t i) { return i % 31 == 0 ? 90.0 : -1.0; }); }},
      {"dt = -30: hardly a step at all", false,
       [](Tensors& in) { fill(in, "dt", [](std::int64_t) { return -30.0; }); }},
      {"decays that add up far beyond e^-88 in a chunk", true,
       [](Tensors& in) {
         fill(in, "dt", [](std::int64_t) { return 2.0; });
         // One head remembers and sets the scale of dA: the chunked form's dA of a head that forgets all but
         // 1/600 at every step is known to some 1e-4 of itself.
         fill(in, "A", [](std::int64_t h) { return h == 0 ? -0.03 : -3.0; });
         fill(in, "dt_bias", [](std::int64_t) { return 0.0; });
       }},
      {"no input: states fade away", true,
       [](Tensors& in) {
         fill(in, "x", [](std::int64_t) { return 0.0; });
         fill(in, "dt", [](std::int64_t) { return 3.0; });
         fill(in, "A", [](std::int64_t h) { return h == 0 ? -0.01 : -1.0; });
       }},
      {"A = 0: nothing is forgotten", true,
       [](Tensors& in) { fill(in, "A", [](std::int64_t) { return 0.0; }); }},
      {"an outlier that the decay must hide again", true,
       [](Tensors& in) { fill(in, "x", [](std::int64_t i) { return i == 40 ? 1000.0 : 1.0; }); }},
  };
  return list;
}

/// Gated, also at the gate's ends, and with packed sequences; and limits that hold some steps from below, some from above.
void check_variants(const Kernel& kernel, const std::string& dtype) {
  for (const Size& size : {Size{2, 67, 6, 5, 7, 3, 4}, Size{1, 130, 2, 70, 33, 1, 2}}) {  // odd; two strips of a head
    Params gated = params_of(size, dtype), limited = gated;
    gated["gated"] = true;
    expect_like_oracle(kernel, gated);
    expect_like_oracle(kernel, gated, [](Tensors& in) {
      fill(in, "z", [](std::int64_t i) { return i % 3 == 0 ? -200.0 : i % 3 == 1 ? 0.0 : 50.0; });
    });
    gated["segments"] = std::int64_t{5};
    expect_like_oracle(kernel, gated);
    for (const char* limits : {"0.01:0.1", "0:0.05", "0.5:inf"}) {
      limited["dt_limit"] = std::string(limits);
      expect_like_oracle(kernel, limited);
    }
  }
}

class SsdBwdConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

TEST_P(SsdBwdConformance, EqualsTheOracle) {
  const auto& [kernel, dtype] = GetParam();
  for (const Size& size : kSizes) expect_like_oracle(*kernel, params_of(size, dtype));
  check_variants(*kernel, dtype);
  for (const Hard& hard : hard_values()) {
    SCOPED_TRACE(hard.what);
    if (hard.fits_fp16 || dtype != "fp16")
      expect_like_oracle(*kernel, params_of({1, 150, 3, 20, 16, 1, 2}, dtype), hard.spoil);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, SsdBwdConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("ssd", false, "bwd")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

// Sums that depended on which thread comes first would differ now and then.
TEST(SsdBwdConformance, GivesTheSameBitsEveryTime) {
  const Op& op = support::find_op("ssd");
  for (const Kernel* kernel : kernels_of("ssd", false, "bwd")) {
    const auto problem = op.parse(params_with(op, params_of({1, 200, 7, 40, 16, 1, 3}, "fp32")));
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

// Common values only, as for the forward pass.
TEST(SsdBwdTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  for (const Kernel* kernel : kernels_of("ssd", false, "bwd")) {
    if (kernel->backend != Backend::torch) continue;
    for (const std::string& dtype : all_dtypes()) {
      for (const Size& size : kSizes) expect_like_oracle(*kernel, params_of(size, dtype));
      check_variants(*kernel, dtype);
    }
  }
}

}  // namespace
}  // namespace bench::scan
