// SPDX-License-Identifier: Apache-2.0
// Ring attention: every rank keeps its query rows, the blocks of keys and values go round, and the softmax
// state is carried across hops: out_i = sum over all ranks' keys j of 2^(s_ij - m_i) v_j / sum 2^(s_ij -
// m_i), s = log2(e) / sqrt(D) q_i . k_j.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D), lse (B, H, n) in fp32
// (fp64 for fp64 tensors). Algorithm: Liu, Zaharia, Abbeel 2023; layouts contiguous, zigzag
// (zhuzilin/ring-flash-attention) and striped (Brandon et al. 2023). The op list is ring_schedule's; each
// exchange is posted before the block at hand is computed and waited for after it, and the transport gets its
// turn between query blocks. Tiles run flash_tiled_cpu's code; with one rank this is flash_tiled_cpu. Masking
// is by global positions, which ascend on every rank: a block none of whose keys a row may see is skipped,
// one that it sees whole runs unmasked, the rest is a prefix. Ragged shares and empty ranks need no padding.
// Bytes on the wire per rank: (P-1) shares of K and V in the tensors' dtype, Hkv heads wide, one message a
// hop. Accumulation: fp32 (fp64 for fp64) state over all hops, normalised once, so the error does not grow
// with P. Right when L/P is long enough to hide a hop; causal work is balanced only by zigzag and striped
// (contiguous: P/(2P-1) at best).
#include "kernels/attention/ring_schedule.hpp"

#include "kernels/attention/kv_passing.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context& context) {
  return prepare_kv_passing(problem, ring_schedule(context.link->size(), context.link->rank()));
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "ring attention over a Link: K/V shares go round, softmax state carried",
    .supports = supports_no_mask,
    .workspace_bytes = kv_passing_workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing,
}};

}  // namespace
}  // namespace bench::attention
