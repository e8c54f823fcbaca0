// SPDX-License-Identifier: Apache-2.0
// Every 16-bit attention kernel on a device by FlashAttention-3's rule of acceptance: its shapes, more and fewer heads, outliers, capped scores, packed sequences.
#include "tests/device/kernels_on_device.hpp"
#include "tests/support/eager_attention.hpp"

namespace bench::attention {
namespace {

using AttentionRuleOnDevice = device::test::WithDevice;

AttentionProblem problem(DType dtype, const char* pass, std::int64_t kv_heads, bool causal) {
  AttentionProblem p;
  p.dtype = dtype;
  p.pass = pass;
  p.heads = 6;
  p.kv_heads = kv_heads;
  p.head_dim = 128;
  p.causal = causal;
  return p;
}

/// The kernels that took the problem; each has been held against the rule.
int held(const AttentionProblem& p, const std::string& what, bool outliers = false) {
  SCOPED_TRACE(concat(p.pass, ' ', to_text(p.dtype), ' ', what));
  Tensors inputs = support::make_inputs(support::find_op("attention"), p, 1);
  if (outliers) support::add_outliers(inputs, 2);
  const support::Fa3Rule rule(p, inputs);
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("attention")) {
    if (!supports_case(*kernel, p).empty() || !kernel->omits.empty()) continue;
    try {
      for (const support::RuleError& e : rule.errors(test::run_alone(*kernel, p, inputs))) EXPECT_LE(e.error, e.allowed) << kernel->name << ' ' << e.text();
      ++taken;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable) throw;
    }
  }
  return taken;
}

TEST_F(AttentionRuleOnDevice, HoldsForTheShapesOfTheRulesOwnTest) {
  for (const char* pass : {"fwd", "bwd"})
    for (const DType dtype : {DType::bf16, DType::f16})
      for (const bool causal : {false, true})
        for (const auto& [seq, kv_seq] : {std::pair{1, 1}, std::pair{64, 128}, std::pair{128, 192}, std::pair{239, 1}, std::pair{799, 3}, std::pair{113, 203},
                                          std::pair{128, 217}, std::pair{640, 128}, std::pair{1023, 1024}, std::pair{1024, 1023}}) {
          AttentionProblem p = problem(dtype, pass, 2, causal);
          p.seq = seq;
          p.kv_seq = kv_seq;
          EXPECT_GE(held(p, concat(seq, " x ", kv_seq, causal ? " causal" : " full")), 1) << "flash_mma_cuda and flash_bwd_mma_cuda take all";
        }
}

TEST_F(AttentionRuleOnDevice, HoldsForEveryGroupingOfHeads) {
  for (const char* pass : {"fwd", "bwd"})
    for (const std::int64_t kv_heads : {6, 2, 1}) {
      AttentionProblem p = problem(DType::bf16, pass, kv_heads, true);
      p.seq = 333;
      EXPECT_GE(held(p, concat(kv_heads, " key/value heads")), 1);
    }
}

TEST_F(AttentionRuleOnDevice, HoldsWithOutliersCappedScoresAndPackedSequences) {
  for (const char* pass : {"fwd", "bwd"}) {
    AttentionProblem p = problem(DType::bf16, pass, 2, true);
    p.seq = 500;
    EXPECT_GE(held(p, "outliers", true), 1);
    p.softcap = 15;
    EXPECT_GE(held(p, "outliers, softcap 15", true), 1);
    p.starts = {1, 130, 257};
    EXPECT_GE(held(p, "softcap, four sequences"), 1);
  }
}

}  // namespace
}  // namespace bench::attention
