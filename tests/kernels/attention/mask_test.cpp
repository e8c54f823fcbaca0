// SPDX-License-Identifier: Apache-2.0
// Sliding windows and padded keys: the oracle by hand, counts of pairs, every kernel that takes them against
// the oracle, and what holds to the bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/attention/attention.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::attention {
namespace {

constexpr double kLogZero = -std::numeric_limits<double>::infinity();

struct Mask {
  std::int64_t batch, seq;
  bool causal;
  std::int64_t window;
  std::vector<std::int64_t> key_lengths;
};

AttentionProblem problem_of(const Mask& mask, DType dtype, std::string pass = "fwd") {
  AttentionProblem p;
  p.batch = mask.batch;
  p.heads = 2;
  p.kv_heads = 1;
  p.seq = mask.seq;
  p.head_dim = 24;
  p.causal = mask.causal;
  p.window = mask.window;
  p.key_lengths = mask.key_lengths;
  p.dtype = dtype;
  p.pass = std::move(pass);
  return p;
}

std::vector<Mask> masks(const std::string& pass = "fwd") {
  std::vector<Mask> list;
  for (const bool causal : {true, false}) {
    for (const std::int64_t window :
         {1, 2, 7, 48, 96, 130})  // itself; in and over strips; a query block; all of it
      list.push_back({1, 110, causal, window, {}});
    list.push_back({3, 70, causal, 0, {70, 1, 37}});                 // full, one key, some
    list.push_back({3, 70, causal, 20, {70, 1, 37}});                // rows behind 37 + 20 see no key
    list.push_back({1, 1, causal, 1, {}});                           // the smallest
    list.push_back({1, pass == "fwd" ? 450 : 290, causal, 30, {}});  // a key block wholly left of the window
  }
  return list;
}

std::string text_of(const AttentionProblem& p) {
  return concat(bench::to_text(p.dtype), p.causal ? " causal" : " full", " B ", p.batch, " L ", p.seq,
                " window ", p.window, p.key_lengths.empty() ? "" : " padded ", p.pass);
}

Tensors run(const Kernel& kernel, const AttentionProblem& p, const Tensors& inputs) {
  return support::run_kernel(kernel, support::find_op("attention"), p, inputs, comm::make_thread_links(1));
}

/// Number of masks that the kernel takes, each of them held to the oracle.
int check(const Kernel& kernel, DType dtype, const std::string& pass) {
  const Op& op = support::find_op("attention");
  int taken = 0;
  for (const Mask& mask : masks(pass)) {
    const AttentionProblem p = problem_of(mask, dtype, pass);
    if (!supports_case(kernel, p).empty()) continue;
    ++taken;
    const Tensors inputs = support::make_inputs(op, p, 1);
    for (const auto& e : support::compare(kernel, op, p, inputs, run(kernel, p, inputs)))
      EXPECT_LE(e.error, e.tolerance) << kernel.name << " " << text_of(p) << ": " << e.text();
  }
  return taken;
}

void check_backend(Backend backend) {
  for (const Kernel* kernel : Registry<Kernel>::instance().all()) {
    if (kernel->op != "attention" || kernel->backend != backend) continue;
    for (const DType dtype : kernel->dtypes)
      for (const std::string& pass : kernel->passes) check(*kernel, dtype, pass);
  }
}

TEST(AttentionMask, EveryKernelThatTakesOneEqualsTheOracle) {
  check_backend(Backend::cpu);
  for (const char* name : {"attention/naive_cpu", "attention/flash_tiled_cpu", "attention/naive_bwd_cpu",
                           "attention/flash_tiled_bwd_cpu"}) {
    const Kernel& kernel = support::find_kernel(name);
    EXPECT_EQ(check(kernel, DType::f64, kernel.passes[0]), static_cast<int>(masks(kernel.passes[0]).size()))
        << name << " takes all";
  }
}

TEST(AttentionMaskTorch, EveryKernelThatTakesOneEqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  check_backend(Backend::torch);
  for (const char* name : {"attention/sdpa_math_torch", "attention/sdpa_flash_torch",
                           "attention/sdpa_math_bwd_torch", "attention/sdpa_flash_bwd_torch"}) {
    const Kernel& kernel = support::find_kernel(name);
    EXPECT_GE(check(kernel, DType::f32, kernel.passes[0]), 10) << name;
  }
}

TEST(AttentionMask, VisibleKeysAreThoseOfTheDefinition) {
  const auto range = [](const Mask& mask, std::int64_t b, std::int64_t i) {
    const KeyRange keys = problem_of(mask, DType::f32).visible(b, i);
    return std::pair(keys.first, keys.end);
  };
  EXPECT_EQ(range({1, 10, true, 3, {}}, 0, 5), std::pair(std::int64_t{3}, std::int64_t{6}))
      << "itself and two before";
  EXPECT_EQ(range({1, 10, false, 3, {}}, 0, 5), std::pair(std::int64_t{3}, std::int64_t{8}))
      << "and two behind";
  EXPECT_EQ(range({1, 10, false, 3, {}}, 0, 9), std::pair(std::int64_t{7}, std::int64_t{10}));
  EXPECT_EQ(range({2, 10, true, 0, {10, 4}}, 1, 9), std::pair(std::int64_t{0}, std::int64_t{4}));
  const KeyRange none = problem_of({2, 10, true, 3, {10, 4}}, DType::f32).visible(1, 9);
  EXPECT_EQ(none.size(), 0) << "keys 7..9 are padding";
}

TEST(AttentionMask, PairsAreCountedOneByOne) {
  for (const Mask& mask : masks()) {
    const AttentionProblem p = problem_of(mask, DType::f32);
    double pairs = 0.0;
    for (std::int64_t b = 0; b < p.batch; ++b)
      for (std::int64_t i = 0; i < p.seq; ++i) pairs += static_cast<double>(p.visible(b, i).size());
    EXPECT_DOUBLE_EQ(pair_count(p) * static_cast<double>(p.batch), pairs) << text_of(p);
  }
}

TEST(AttentionMask, OracleAveragesWhatARowSees) {
  // Equal keys, so the weights are equal; v of position j is j. B 2, causal, window 2, one key in sequence 1.
  AttentionProblem p = problem_of({2, 4, true, 2, {4, 1}}, DType::f64);
  p.heads = p.kv_heads = p.head_dim = 1;
  Tensors inputs;
  for (const char* name : {"q", "k", "v"}) {
    Tensor& t = inputs.add(name, Tensor(DType::f64, {2, 1, 4, 1}));
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, name[0] == 'v' ? static_cast<double>(i % 4) : 0.0);
  }
  const std::vector<std::int64_t> rows{0, 1, 2, 3};
  const Tensors outputs = support::find_op("attention").reference(p, inputs, rows);
  const double out[] = {0.0, 0.5, 1.5, 2.5, 0.0, 0.0, 0.0, 0.0};
  const double lse[] = {0.0, std::log(2.0), std::log(2.0), std::log(2.0), 0.0, 0.0, kLogZero, kLogZero};
  for (std::int64_t i = 0; i < 8; ++i) {
    EXPECT_DOUBLE_EQ(outputs["out"].at(i), out[i]) << i;
    EXPECT_EQ(outputs["lse"].at(i), lse[i]) << i;
  }
}

// What a window as long as the sequence hides is nothing.
TEST(AttentionMask, AWindowOfTheWholeSequenceChangesNoBit) {
  const Op& op = support::find_op("attention");
  for (const Kernel* kernel : Registry<Kernel>::instance().all()) {
    if (kernel->op != "attention" || kernel->backend != Backend::cpu) continue;
    for (const bool causal : {true, false}) {
      const AttentionProblem wide = problem_of({1, 200, causal, 200, {}}, DType::f32, kernel->passes[0]);
      if (!supports_case(*kernel, wide).empty()) continue;
      const AttentionProblem none = problem_of({1, 200, causal, 0, {}}, DType::f32, kernel->passes[0]);
      const Tensors inputs = support::make_inputs(op, none, 1);
      const Tensors a = run(*kernel, wide, inputs), b = run(*kernel, none, inputs);
      for (const TensorSpec& spec : op.outputs(none)) {
        const Tensor &x = a[spec.name], &y = b[spec.name];
        EXPECT_EQ(std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.bytes())), 0)
            << kernel->name << " " << spec.name;
      }
    }
  }
}

// A gradient without a pair behind it is exactly zero: of rows that see no key, and of keys that are padding.
TEST(AttentionMask, WhatMeetsNothingHasZeroGradients) {
  const Op& op = support::find_op("attention");
  for (const char* name : {"attention/naive_bwd_cpu", "attention/flash_tiled_bwd_cpu"}) {
    const AttentionProblem p = problem_of({2, 300, true, 20, {300, 37}}, DType::f32, "bwd");
    const Tensors gradients = run(support::find_kernel(name), p, support::make_inputs(op, p, 1));
    const auto expect_zero = [&](const char* output, std::int64_t head, std::int64_t first) {
      for (std::int64_t i = (head * p.seq + first) * p.head_dim; i < (head + 1) * p.seq * p.head_dim; ++i)
        ASSERT_EQ(gradients[output].at(i), 0.0) << name << " " << output << " element " << i;
    };
    for (const std::int64_t head : {2, 3}) expect_zero("dq", head, 37 + 20 - 1);
    for (const char* output : {"dk", "dv"}) expect_zero(output, 1, 37);
  }
}

TEST(AttentionMask, ParametersOutOfRangeAreUsageErrors) {
  const Op& op = support::find_op("attention");
  Params params;
  for (const ParamSpec& spec : common_params()) params[spec.name] = spec.fallback;
  for (const ParamSpec& spec : op.params) params[spec.name] = spec.fallback;
  Params ragged = params, negative = params, unknown = params;
  ragged["key_lengths"] = std::string("ragged");
  ragged["batch"] = std::int64_t{5};
  const auto p = op.parse(ragged);
  EXPECT_EQ(problem_as<AttentionProblem>(*p).key_lengths.size(), 5U);
  EXPECT_EQ(problem_as<AttentionProblem>(*p).key_lengths[0], 1024) << "the first is full";
  negative["window"] = std::int64_t{-1};
  unknown["key_lengths"] = std::string("some");
  for (const Params& wrong : {negative, unknown}) EXPECT_THROW(op.parse(wrong), Error);
}

}  // namespace
}  // namespace bench::attention
