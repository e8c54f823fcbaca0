// SPDX-License-Identifier: Apache-2.0
// Every registered attention kernel's forward pass against the fp64 oracle: a new kernel file is covered as
// soon as it is built. Backward: conformance_bwd_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/tolerance.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::attention {
namespace {

struct Size {
  std::int64_t batch, heads, kv_heads, seq, head_dim;
};

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 1},      // the smallest
    {1, 1, 1, 2, 64},     // fewer rows than a strip of 8
    {1, 1, 1, 7, 16},     // strip - 1
    {1, 1, 1, 8, 16},     // strip
    {1, 2, 2, 9, 16},     // strip + 1
    {1, 1, 1, 47, 32},    // panel of 48 keys - 1
    {1, 1, 1, 49, 48},    // panel + 1; three vectors of columns, an odd count
    {1, 1, 1, 95, 64},    // query block - 1
    {1, 1, 1, 97, 64},    // query block + 1
    {1, 1, 1, 383, 16},   // key block - 1
    {1, 1, 1, 384, 16},   // key block
    {1, 1, 1, 385, 16},   // key block + 1
    {2, 6, 2, 130, 80},   // batch and grouped heads
    {1, 4, 1, 61, 128},   // one key/value head for all
    {3, 2, 1, 33, 40},    // D not whole vectors of 16
    {1, 1, 1, 120, 3},    // D below the narrowest vector
    {1, 1, 1, 1000, 16},  // long and odd: three key blocks
};

/// What the values are like; each has broken an attention kernel somewhere.
enum class Values { normal, steep, constant_v, equal_keys, outliers, denormals };
/// Standard deviation of the logits in the steep case: the largest are about +-200.
constexpr double kSteep = 50.0;

struct Case {
  const Kernel* kernel;
  Size size;
  DType dtype;
  bool causal;
  Values values = Values::normal;
  Layout layout = Layout::contiguous;
  std::int64_t ranks = 1, threads = 1;
  std::int64_t window = 0;
  std::vector<std::int64_t> key_lengths = {};
};

AttentionProblem problem_of(const Case& c) {
  AttentionProblem p;
  p.batch = c.size.batch;
  p.heads = c.size.heads;
  p.kv_heads = c.size.kv_heads;
  p.seq = c.size.seq;
  p.head_dim = c.size.head_dim;
  p.dtype = c.dtype;
  p.causal = c.causal;
  p.layout = c.layout;
  p.ranks = c.ranks;
  p.threads = c.threads;
  p.window = c.window;
  p.key_lengths = c.key_lengths;
  return p;
}

std::string text_of(const Case& c) {
  static constexpr const char* kValues[] = {"", " steep logits", " constant V", " equal keys", " outliers", " denormals"};
  return concat(c.kernel->name, " ", bench::to_text(c.dtype), c.causal ? " causal" : " full", " B ",
                c.size.batch, " H ", c.size.heads, " Hkv ", c.size.kv_heads, " L ", c.size.seq, " D ",
                c.size.head_dim, kValues[static_cast<int>(c.values)], " P ", c.ranks, " ", to_text(c.layout),
                " threads ", c.threads, " window ", c.window, c.key_lengths.empty() ? "" : " padded");
}

void shape_values(Values values, Tensors& inputs) {
  const auto each = [&](const char* name, auto&& f) {
    Tensor& t = inputs[name];
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, f(t.at(i)));
  };
  if (values == Values::steep) each("q", [](double x) { return x * kSteep; });
  if (values == Values::constant_v) each("v", [](double) { return 1.5; });
  if (values == Values::equal_keys) each("k", [](double) { return 0.25; });
  if (values == Values::outliers) {  // one score far above all others, and a value that must not leak into rows that do not see it
    inputs["k"].set(5, 60.0);
    inputs["v"].set(inputs["v"].count() - 1, 1e4);
  }
  if (values == Values::denormals)
    for (const char* name : {"q", "k"}) each(name, [](double x) { return x * 1e-40; });
}

/// What the op allows, plus what steep logits add: a score's rounding error grows with its size and becomes a
/// relative error of its weight.
double allowed(const Case& c, const support::OutputError& e) {
  const double extra = c.values == Values::steep || c.values == Values::outliers ? kSteep : 0.0;
  return e.tolerance + rounding_tolerance(c.dtype, {.accumulation = 64.0 * extra, .storage = 0.0});
}

void check(const Case& c) {
  SCOPED_TRACE(text_of(c));
  const Op& op = support::find_op("attention");
  const AttentionProblem p = problem_of(c);
  if (!supports_case(*c.kernel, p).empty()) return;
  Tensors inputs = support::make_inputs(op, p, 1);
  shape_values(c.values, inputs);
  const auto outputs =
      support::run_kernel(*c.kernel, op, p, inputs, comm::make_thread_links(static_cast<int>(c.ranks)));
  for (const auto& e : support::compare(*c.kernel, op, p, inputs, outputs))
    EXPECT_LE(e.error, allowed(c, e)) << e.text();
}

void check_on_one_rank(const Kernel& kernel, DType dtype, bool causal) {
  for (const Size& size : kSizes) check({&kernel, size, dtype, causal});
  for (const Values values : {Values::steep, Values::constant_v, Values::equal_keys, Values::outliers, Values::denormals})
    check({&kernel, {1, 2, 1, 131, 64}, dtype, causal, values});
  check({.kernel = &kernel, .size = {1, 3, 1, 200, 32}, .dtype = dtype, .causal = causal, .threads = 2});
}

constexpr Size kRingSizes[] = {
    {1, 2, 1, 1, 16},    // all ranks but one are empty
    {1, 1, 1, 5, 8},     // shorter than 8 ranks
    {2, 4, 2, 101, 24},  // ragged for every P, batch and grouped heads
    {1, 2, 2, 900, 16},  // several query blocks a rank, key blocks cut at the diagonal
};

void check_on_ranks(const Kernel& kernel, Layout layout, std::int64_t ranks, bool causal) {
  for (const Size& size : kRingSizes)
    check({&kernel, size, DType::f64, causal, Values::normal, layout, ranks});
  for (const DType dtype : {DType::f32, DType::bf16})
    check({&kernel, kRingSizes[2], dtype, causal, Values::normal, layout, ranks});
  check({&kernel, kRingSizes[2], DType::f32, causal, Values::steep, layout, ranks, 2});
}

std::vector<const Kernel*> attention_kernels() {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == "attention" && kernel->backend != Backend::cuda && kernel->backend != Backend::nccl && std::ranges::count(kernel->passes, "fwd") > 0)
      kernels.push_back(kernel);
  return kernels;
}

std::vector<const Kernel*> collective_kernels() {
  auto kernels = attention_kernels();
  std::erase_if(kernels, [](const Kernel* kernel) { return !kernel->collective; });
  return kernels;
}

/// The kernel's name without its room, as a test name.
std::string short_name(const Kernel* kernel) {
  return kernel->name.substr(kernel->name.find('/') + 1);
}

class AttentionConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, DType>> {};

TEST_P(AttentionConformance, EqualsTheOracle) {
  const auto [kernel, dtype] = GetParam();
  if (std::ranges::find(kernel->dtypes, dtype) == kernel->dtypes.end())
    GTEST_SKIP() << "no " << bench::to_text(dtype);
  for (const bool causal : {false, true}) check_on_one_rank(*kernel, dtype, causal);
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionConformance,
                         ::testing::Combine(::testing::ValuesIn(attention_kernels()),
                                            ::testing::Values(DType::f64, DType::f32, DType::bf16,
                                                              DType::f16)),
                         [](const auto& which) {
                           return concat(short_name(std::get<0>(which.param)), "_",
                                         bench::to_text(std::get<1>(which.param)));
                         });

class AttentionAcrossRanks : public ::testing::TestWithParam<std::tuple<const Kernel*, Layout, int>> {};

TEST_P(AttentionAcrossRanks, EqualsTheOracle) {
  const auto [kernel, layout, ranks] = GetParam();
  for (const bool causal : {false, true}) check_on_ranks(*kernel, layout, ranks, causal);
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(collective_kernels()),
                                            ::testing::Values(Layout::contiguous, Layout::zigzag,
                                                              Layout::striped),
                                            ::testing::Values(1, 2, 3, 4, 8)),
                         [](const auto& which) {
                           return concat(short_name(std::get<0>(which.param)), "_",
                                         to_text(std::get<1>(which.param)), "_P", std::get<2>(which.param));
                         });

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(AttentionTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const Kernel* kernel : attention_kernels()) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const DType dtype : kernel->dtypes)
      for (const bool causal : {false, true}) check_on_one_rank(*kernel, dtype, causal);
  }
  EXPECT_GE(tested, 2) << "the plug-in brings the flash and the math backend";
}

// The check itself must be able to fail: a correct kernel whose output is then spoiled in one element.
void run_and_lose_one(const Problem& problem, Tensors& tensors, Context& context) {
  support::find_kernel("attention/naive_cpu").run(problem, tensors, context);
  tensors["out"].set(3, std::numeric_limits<double>::quiet_NaN());
}
void run_and_shift_lse(const Problem& problem, Tensors& tensors, Context& context) {
  support::find_kernel("attention/naive_cpu").run(problem, tensors, context);
  tensors["lse"].set(1, tensors["lse"].at(1) + 1e-3);
}

TEST(AttentionConformanceCheck, CatchesASpoiltElementUnlessTheOutputIsOmitted) {
  const Op& op = support::find_op("attention");
  Kernel kernel = support::find_kernel("attention/naive_cpu");
  const AttentionProblem p = problem_of({&kernel, {1, 1, 1, 20, 8}, DType::f32, true});
  const Tensors inputs = support::make_inputs(op, p, 1);
  const auto errors = [&] {
    return support::compare(kernel, op, p, inputs,
                            support::run_kernel(kernel, op, p, inputs, comm::make_thread_links(1)));
  };
  kernel.run = run_and_lose_one;
  EXPECT_EQ(errors().at(0).error, std::numeric_limits<double>::infinity());
  EXPECT_EQ(errors().at(0).index, 3);
  kernel.run = run_and_shift_lse;
  EXPECT_GT(errors().at(1).error, errors().at(1).tolerance);
  kernel.omits = {"lse"};
  EXPECT_EQ(errors().size(), 1U);
}

// Properties that hold to the bit or without an oracle.
class AttentionProperty : public ::testing::TestWithParam<const Kernel*> {
 protected:
  const Kernel& kernel = *GetParam();
  const Op& op = support::find_op("attention");
  Tensors run(const AttentionProblem& p, const Tensors& inputs) {
    return support::run_kernel(kernel, op, p, inputs, comm::make_thread_links(static_cast<int>(p.ranks)));
  }
  AttentionProblem problem() const {
    AttentionProblem p = problem_of({&kernel, {1, 2, 1, 150, 32}, kernel.dtypes.back(), true});
    p.dtype = DType::f32;
    return p;
  }
};

TEST_P(AttentionProperty, WeightsSumToOne) {
  const AttentionProblem p = problem();
  Tensors inputs = support::make_inputs(op, p, 3);
  shape_values(Values::constant_v, inputs);
  const Tensors outputs = run(p, inputs);
  for (std::int64_t i = 0; i < outputs["out"].count(); ++i)
    ASSERT_NEAR(outputs["out"].at(i), 1.5, 1e-5) << "element " << i;
}

TEST_P(AttentionProperty, CausalIgnoresTheFuture) {
  const AttentionProblem p = problem();
  constexpr std::int64_t kCut = 70;  // inside a strip, a panel and a query block
  Tensors inputs = support::make_inputs(op, p, 3);
  const Tensors before = run(p, inputs);
  for (const char* name : {"k", "v"})
    for (std::int64_t i = (kCut + 1) * p.head_dim; i < p.seq * p.head_dim; ++i)
      inputs[name].set(i, 1e3 * inputs[name].at(i));
  const Tensors after = run(p, inputs);
  for (std::int64_t h = 0; h < p.heads; ++h)
    for (std::int64_t i = 0; i < (kCut + 1) * p.head_dim; ++i) {
      const std::int64_t at = h * p.seq * p.head_dim + i;
      ASSERT_EQ(before["out"].at(at), after["out"].at(at)) << "head " << h << " row " << i / p.head_dim;
    }
}

TEST_P(AttentionProperty, ThreadsDoNotChangeTheBits) {
  AttentionProblem p = problem();
  const Tensors inputs = support::make_inputs(op, p, 3);
  const Tensors one = run(p, inputs);
  p.threads = 3;
  const Tensors three = run(p, inputs);
  for (std::int64_t i = 0; i < one["out"].count(); ++i)
    ASSERT_EQ(one["out"].at(i), three["out"].at(i)) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionProperty, ::testing::ValuesIn(attention_kernels()),
                         [](const auto& which) { return short_name(which.param); });

}  // namespace
}  // namespace bench::attention
