// SPDX-License-Identifier: Apache-2.0
// ring_nccl_cuda: ring attention between devices: every rank keeps its query rows, the blocks of keys and values go round, the softmax state is carried
// across hops.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D) in bf16 or fp16, lse (B, H, n) in fp32. Algorithm: Liu, Zaharia, Abbeel
// 2023; the op list is ring_schedule's, which ring_cpu plays, too; a hop is flash_hop's body (mma.sync, sm_80 and later), one launch a block that
// some row sees. Layouts contiguous, zigzag, striped, ragged lengths and empty ranks: one rule (hop_job.hpp).
//
// Each exchange is posted before the launch that it hides behind: the block at hand is sent on while it is computed with. Slots: the own block and two
// that receive in turn, so memory for keys is three shares. Bytes on the wire a rank: (P-1) shares of K and V, Hkv heads wide, one message a hop.
// The transport's blocks take SMs from the compute beside it. State: 4 (D + 8) bytes a row and hop, read and written.
//
// Accumulation: fp32 state over all hops, normalised once, so the error does not grow with P. Right when L/P is long enough to hide a hop; causal work is
// balanced by zigzag and striped only. One rank computes as flash_mma_cuda does. Preconditions: D <= 256, a multiple of 8.
#include "kernels/attention/ring_schedule.hpp"

#include "kernels/attention/kv_passing_launch.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_launch(problem, tensors, context, ring_schedule(context.link->size(), context.link->rank()));
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .collective = true,
    .about = "ring attention between devices: K/V shares go round beside the compute, softmax state carried",
    .supports = supports_kv_passing_launch,
    .prepare = prepare,
    .run = run_kv_passing_launch,
}};

}  // namespace
}  // namespace bench::attention
