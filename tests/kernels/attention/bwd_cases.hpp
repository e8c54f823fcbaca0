// SPDX-License-Identifier: Apache-2.0
// What a backward test of attention is made of: a case, its problem, its values and its verdict.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/tolerance.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention::backward {

struct Size {
  std::int64_t batch, heads, kv_heads, seq, head_dim;
};

/// What the values are like; each has broken an attention kernel somewhere.
enum class Values { normal, steep, constant_v, equal_keys };
/// Standard deviation of the logits in the steep case: the largest are about +-200.
inline constexpr double kSteep = 50.0;

struct Case {
  const Kernel* kernel;
  Size size;
  DType dtype;
  bool causal;
  Values values = Values::normal;
  Layout layout = Layout::contiguous;
  std::int64_t ranks = 1, threads = 1;
};

inline AttentionProblem problem_of(const Case& c) {
  AttentionProblem p;
  p.batch = c.size.batch;
  p.heads = c.size.heads;
  p.kv_heads = c.size.kv_heads;
  p.seq = c.size.seq;
  p.head_dim = c.size.head_dim;
  p.dtype = c.dtype;
  p.pass = "bwd";
  p.causal = c.causal;
  p.layout = c.layout;
  p.ranks = c.ranks;
  p.threads = c.threads;
  return p;
}

inline std::string text_of(const Case& c) {
  static constexpr const char* kValues[] = {"", " steep logits", " constant V", " equal keys"};
  return concat(c.kernel->name, " ", bench::to_text(c.dtype), c.causal ? " causal" : " full", " B ",
                c.size.batch, " H ", c.size.heads, " Hkv ", c.size.kv_heads, " L ", c.size.seq, " D ",
                c.size.head_dim, kValues[static_cast<int>(c.values)], " P ", c.ranks, " ", to_text(c.layout),
                " threads ", c.threads);
}

inline void shape_values(Values values, Tensors& inputs) {
  const auto each = [&](const char* name, auto&& f) {
    Tensor& t = inputs[name];
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, f(t.at(i)));
  };
  if (values == Values::steep) each("q", [](double x) { return x * kSteep; });
  if (values == Values::constant_v) each("v", [](double) { return 1.5; });
  if (values == Values::equal_keys) each("k", [](double) { return 0.25; });
}

/// What the op allows, plus what steep logits add: a score's rounding error grows with its size and becomes a
/// relative error of its weight.
inline double allowed(const Case& c, const support::OutputError& e) {
  const double extra = c.values == Values::steep ? kSteep : 0.0;
  return e.tolerance + rounding_tolerance(c.dtype, {.accumulation = 64.0 * extra, .storage = 0.0});
}

/// Equal keys or values make gradients that are zero but for rounding: those are measured against 1, the size
/// of the terms that cancel.
inline double error_of(const support::OutputError& e) {
  constexpr double kVanished = 1e-9;
  const double worst = std::abs(e.got - e.want);
  return worst < kVanished * e.error ? worst : e.error;
}

inline Tensors run_of(const Case& c, const Tensors& inputs) {
  return support::run_kernel(*c.kernel, support::find_op("attention"), problem_of(c), inputs,
                             comm::make_thread_links(static_cast<int>(c.ranks)));
}

/// The case in each of `layouts`: to the oracle they are all the same.
inline void check_layouts(Case c, std::initializer_list<Layout> layouts) {
  if (!supports_case(*c.kernel, problem_of(c)).empty()) return;
  const Op& op = support::find_op("attention");
  Tensors inputs = support::make_inputs(op, problem_of(c), 1);
  shape_values(c.values, inputs);
  const Tensors reference = support::reference_of(op, problem_of(c), inputs);
  for (const Layout layout : layouts) {
    c.layout = layout;
    SCOPED_TRACE(text_of(c));
    for (const auto& e : support::compare_to(*c.kernel, op, problem_of(c), reference, run_of(c, inputs)))
      EXPECT_LE(error_of(e), allowed(c, e)) << e.text();
  }
}
inline void check(const Case& c) {
  check_layouts(c, {c.layout});
}

inline void expect_same_bits(const Tensors& a, const Tensors& b) {
  for (const char* name : {"dq", "dk", "dv"})
    for (std::int64_t i = 0; i < a[name].count(); ++i)
      ASSERT_EQ(a[name].at(i), b[name].at(i)) << name << " element " << i;
}

inline std::vector<const Kernel*> backward_kernels() {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == "attention" && kernel->backend != Backend::cuda && kernel->backend != Backend::nccl && std::ranges::count(kernel->passes, "bwd") > 0)
      kernels.push_back(kernel);
  return kernels;
}

inline std::vector<const Kernel*> collective_kernels() {
  auto kernels = backward_kernels();
  std::erase_if(kernels, [](const Kernel* kernel) { return !kernel->collective; });
  return kernels;
}

inline std::vector<const Kernel*> single_rank_kernels() {
  auto kernels = backward_kernels();
  std::erase_if(kernels, [](const Kernel* kernel) { return kernel->collective; });
  return kernels;
}

/// The kernel's name without its room, as a test name.
inline std::string short_name(const Kernel* kernel) {
  return kernel->name.substr(kernel->name.find('/') + 1);
}

}  // namespace bench::attention::backward
