// SPDX-License-Identifier: Apache-2.0
// FlashAttention-3's rule of acceptance, on the kernels that run here; tests/device holds a device's against it.
#include <gtest/gtest.h>

#include "src/comm/link_threads.hpp"
#include "tests/support/eager_attention.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

AttentionProblem problem(DType dtype, std::int64_t seq, std::int64_t kv_seq, bool causal, const char* pass) {
  AttentionProblem p;
  p.dtype = dtype;
  p.heads = 2;
  p.kv_heads = 1;
  p.seq = seq;
  p.kv_seq = kv_seq;
  p.causal = causal;
  p.pass = pass;
  return p;
}

Tensors answer(const char* kernel, const AttentionProblem& p, const Tensors& inputs) {
  return support::run_kernel(support::find_kernel(kernel), support::find_op("attention"), p, inputs, comm::make_thread_links(1));
}

void expect_accepted(const char* kernel, const AttentionProblem& p, const Tensors& inputs) {
  for (const support::RuleError& e : support::Fa3Rule(p, inputs).errors(answer(kernel, p, inputs))) EXPECT_LE(e.error, e.allowed) << kernel << ' ' << e.text();
}

TEST(Fa3Rule, AcceptsTheKernelsOfTheHost) {
  for (const DType dtype : {DType::bf16, DType::f16})
    for (const auto& [seq, kv_seq] : {std::pair{1, 1}, std::pair{64, 128}, std::pair{239, 1}, std::pair{113, 203}, std::pair{128, 217}})
      for (const bool causal : {false, true}) {
        SCOPED_TRACE(concat(to_text(dtype), ' ', seq, " x ", kv_seq, causal ? " causal" : ""));
        const AttentionProblem forward = problem(dtype, seq, kv_seq, causal, "fwd"), backward = problem(dtype, seq, kv_seq, causal, "bwd");
        expect_accepted("attention/flash_tiled_cpu", forward, support::make_inputs(support::find_op("attention"), forward, 1));
        expect_accepted("attention/flash_tiled_bwd_cpu", backward, support::make_inputs(support::find_op("attention"), backward, 1));
      }
}

TEST(Fa3Rule, AcceptsThemWithOutliersAndCappedScores) {
  for (const std::int64_t softcap : {0, 15})
    for (const char* pass : {"fwd", "bwd"}) {
      AttentionProblem p = problem(DType::bf16, 200, 0, true, pass);
      p.softcap = softcap;
      Tensors inputs = support::make_inputs(support::find_op("attention"), p, 1);
      support::add_outliers(inputs, 3);
      SCOPED_TRACE(concat(pass, " softcap ", softcap));
      expect_accepted(p.backward() ? "attention/flash_tiled_bwd_cpu" : "attention/flash_tiled_cpu", p, inputs);
    }
}

TEST(Fa3Rule, RefusesAKernelThatForgetsOneKeyOfFiveOrWhoseLseIsOffByAPerCent) {
  const AttentionProblem p = problem(DType::bf16, 5, 0, true, "fwd");  // one key of five is a fifth of the last row; of twenty, the rule lets it pass
  const Tensors inputs = support::make_inputs(support::find_op("attention"), p, 1);
  AttentionProblem less = p;
  less.key_lengths = {4};  // the last row's last key
  const support::Fa3Rule rule(p, inputs);
  const auto accepted = [&](const Tensors& outputs, std::size_t which) { return rule.errors(outputs)[which].error <= rule.errors(outputs)[which].allowed; };
  EXPECT_FALSE(accepted(answer("attention/naive_cpu", less, inputs), 0));
  Tensors outputs = answer("attention/naive_cpu", p, inputs);
  EXPECT_TRUE(accepted(outputs, 0));
  EXPECT_TRUE(accepted(outputs, 1));
  Tensor& lse = outputs["lse"];
  for (std::int64_t i = 0; i < lse.count(); ++i) lse.set(i, lse.at(i) + 0.01);  // a backward pass would make weights 1 % too small
  EXPECT_FALSE(accepted(outputs, 1));
}

}  // namespace
}  // namespace bench::attention
