// SPDX-License-Identifier: Apache-2.0
// Sliding windows, padded keys, packed sequences, more or fewer keys than queries and capped scores: counts of pairs, every
// kernel that takes them against the oracle, and what holds to the bit. The oracle by hand: oracle_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/attention/attention.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::attention {
namespace {

struct Mask {
  std::int64_t batch, seq;
  bool causal;
  std::int64_t window;
  std::vector<std::int64_t> key_lengths = {};
  std::int64_t kv_seq = 0, softcap = 0;
  std::vector<std::int64_t> starts = {};
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
  p.kv_seq = mask.kv_seq;
  p.softcap = mask.softcap;
  p.starts = mask.starts;
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
    // One and one; fewer queries, as a later part of a prompt; fewer keys, so that causal rows see none; a key block and more.
    for (const auto& [seq, keys] : {std::pair(1, 7), std::pair(113, 203), std::pair(239, 1), std::pair(150, 61), std::pair(13, 430)})
      list.push_back({.batch = 1, .seq = seq, .causal = causal, .window = 0, .kv_seq = keys});
    list.push_back({.batch = 1, .seq = 50, .causal = causal, .window = 20, .kv_seq = 130});  // the first keys left of all windows
    list.push_back({.batch = 1, .seq = 130, .causal = causal, .window = 20, .kv_seq = 50});  // rows before all keys, in no window
    list.push_back({.batch = 3, .seq = 50, .causal = causal, .window = 0, .key_lengths = {80, 1, 37}, .kv_seq = 80});
    for (const std::int64_t cap : {1, 50})  // nearly all scores at the cap; hardly any, as in Gemma 2
      list.push_back({.batch = 1, .seq = 110, .causal = causal, .window = 0, .softcap = cap});
    list.push_back({.batch = 2, .seq = 70, .causal = causal, .window = 9, .key_lengths = {70, 33}, .softcap = 2});
    // Of one row, within strips, over blocks of rows; a window inside; padding that begins in the second one.
    const std::vector<std::int64_t> starts{1, 30, 37, 131, 133};
    for (const std::int64_t window : {0, 13}) list.push_back({.batch = 1, .seq = 250, .causal = causal, .window = window, .starts = starts});
    list.push_back({.batch = 2, .seq = 90, .causal = causal, .window = 0, .key_lengths = {90, 50}, .softcap = 3, .starts = {40, 60}});
  }
  return list;
}

std::string text_of(const AttentionProblem& p) {
  return concat(bench::to_text(p.dtype), p.causal ? " causal" : " full", " B ", p.batch, " L ", p.seq,
                " window ", p.window, p.key_lengths.empty() ? "" : " padded", " Lk ", p.kv_length(), " cap ", p.softcap, " sequences ",
                p.starts.size() + 1, ' ', p.pass);
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
  const Mask later{.batch = 1, .seq = 4, .causal = true, .window = 0, .kv_seq = 10}, earlier{.batch = 1, .seq = 10, .causal = true, .window = 0, .kv_seq = 4};
  EXPECT_EQ(range(later, 0, 0), std::pair(std::int64_t{0}, std::int64_t{7})) << "the last of 4 stands at the last of 10";
  EXPECT_EQ(range(earlier, 0, 5).second, 0) << "before all keys";
  EXPECT_EQ(range(earlier, 0, 6), std::pair(std::int64_t{0}, std::int64_t{1}));
  EXPECT_EQ(range({.batch = 1, .seq = 4, .causal = false, .window = 2, .kv_seq = 10}, 0, 0), std::pair(std::int64_t{5}, std::int64_t{8}));
  const Mask packed{.batch = 1, .seq = 10, .causal = false, .window = 3, .starts = {4, 9}};
  EXPECT_EQ(range(packed, 0, 4), std::pair(std::int64_t{4}, std::int64_t{7})) << "no key of the first sequence";
  EXPECT_EQ(range(packed, 0, 8), std::pair(std::int64_t{6}, std::int64_t{9}));
  EXPECT_EQ(range(packed, 0, 9), std::pair(std::int64_t{9}, std::int64_t{10})) << "alone";
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

}  // namespace
}  // namespace bench::attention
