// SPDX-License-Identifier: Apache-2.0
// Every registered decode kernel against the fp64 oracle, with every instruction set of this machine: a new
// kernel file is covered as soon as it is built. What no sequence owns is NaN throughout, so a kernel that
// lets a free page or the tail of a last page into its result fails everywhere.
#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/decode/decode_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::decode {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 64, 16},                        // one token
    {1, 2, 2, 15, 64, 16},                       // page - 1
    {1, 2, 2, 16, 64, 16},                       // page
    {1, 2, 2, 17, 64, 16},                       // page + 1
    {2, 3, 1, 127, 80, 32},                      // block of 128 - 1; a group of 2 + 1 heads
    {2, 4, 1, 129, 128, 64, Lengths::equal, 2},  // block + 1, page + 1; a group of 4
    {1, 8, 1, 255, 64, 256, Lengths::equal, 3},  // span of 256 - 1 = page - 1; a group of 8
    {1, 16, 1, 257, 128, 256, Lengths::equal,
     2},                                         // span + 1; 8 heads twice; one key/value head for 2 threads
    {1, 15, 1, 100, 32, 16},                     // a group of 8 + 4 + 2 + 1
    {2, 2, 2, 40, 256, 32},                      // wide rows: columns in several tiles
    {1, 2, 1, 33, 40, 16},                       // D of 8s, not of 16s
    {1, 3, 3, 37, 3, 16},                        // D below the narrowest vector
    {1, 2, 2, 50, 90, 64},                       // D with an end of rows for every instruction set
    {3, 6, 3, 700, 64, 16, Lengths::equal, 4},   // long and odd: three spans a sequence
    {7, 4, 2, 600, 64, 32, Lengths::ragged, 2},  // lengths mixed
};

/// What the values are like; each has broken an attention kernel somewhere.
enum class Values { normal, steep, outliers, constant_v, equal_keys };
/// Standard deviation of the logits in the steep case: the largest are about +-200.
constexpr double kSteep = 50.0;

void shape_values(Values values, Tensors& inputs) {
  const auto each = [&](const char* name, auto&& f) {
    Tensor& t = inputs[name];
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, f(i, t.at(i)));
  };
  if (values == Values::steep) each("q", [](std::int64_t, double x) { return x * kSteep; });
  if (values == Values::outliers)  // N(0, 1) and now and then N(0, 100)
    for (const char* name : {"q", "k_cache", "v_cache"})
      each(name, [](std::int64_t i, double x) { return i % 997 == 5 ? x * 10.0 : x; });
  if (values == Values::constant_v) each("v_cache", [](std::int64_t, double) { return 1.5; });
  if (values == Values::equal_keys) each("k_cache", [](std::int64_t, double) { return 0.25; });
}

void check(Backend backend, const Size& size, DType dtype, Values values = Values::normal) {
  const DecodeProblem p = problem_of(size, dtype);
  Tensors inputs = support::make_inputs(decode_op(), p, 1);
  shape_values(values, inputs);
  const Tensors reference = support::reference_of(decode_op(), p, inputs);
  for (const char* name : {"k_cache", "v_cache"})
    for_each_unused(p, [&](std::int64_t i) { inputs[name].set(i, kNan); });
  // A score's rounding error grows with its size and becomes a relative error of its weight.
  const double more = values == Values::steep ? 64.0 * kSteep : values == Values::outliers ? 640.0 : 0.0;
  for (const Kernel* kernel : decode_kernels(backend)) {
    if (!supports_case(*kernel, p).empty()) continue;
    if (backend != Backend::cpu) {
      expect_like(*kernel, p, reference, run(*kernel, p, inputs), more);
    } else {
      for_each_engine([&] { expect_like(*kernel, p, reference, run(*kernel, p, inputs), more); });
    }
  }
}

void check_all(Backend backend, DType dtype) {
  for (const Size& size : kSizes) check(backend, size, dtype);
  for (const Values values : {Values::steep, Values::outliers, Values::constant_v, Values::equal_keys})
    check(backend, {2, 4, 2, 300, 64, 16, Lengths::ragged}, dtype, values);
}

class DecodeConformance : public ::testing::TestWithParam<DType> {};

TEST_P(DecodeConformance, EqualsTheOracle) {
  ASSERT_GE(decode_kernels(Backend::cpu).size(), 2U) << "the baseline and the paged kernel";
  check_all(Backend::cpu, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Types, DecodeConformance,
                         ::testing::Values(DType::f64, DType::f32, DType::bf16, DType::f16),
                         [](const auto& which) { return std::string(bench::to_text(which.param)); });

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(DecodeTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  ASSERT_FALSE(decode_kernels(Backend::torch).empty());
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) check_all(Backend::torch, dtype);
}

}  // namespace
}  // namespace bench::decode
