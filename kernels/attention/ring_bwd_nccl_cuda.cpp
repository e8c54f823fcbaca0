// SPDX-License-Identifier: Apache-2.0
// ring_bwd_nccl_cuda: backward ring attention between devices: every rank keeps its query rows and sums their dQ, blocks of keys and values go round, and
// the sums of dK and dV travel with their block.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D), and the forward pass's out and lse -> dq (B, H, n, D), dk dv (B, Hkv, n, D) in bf16 or
// fp16. Algorithm: Liu, Zaharia, Abbeel 2023; the op list is ring_bwd_schedule's, which ring_bwd_cpu plays, too; a hop is flash_bwd_mma's body (sm_80 and
// later), which adds to fp32 sums of dQ in any order and writes the hop's dK and dV in fp32; another launch adds those to what the ranks before have sent.
//
// Keys for the next step and sums of the last one are posted before the launch that they hide behind, one exchange after the other. Bytes on the wire a rank:
// P-1 shares of K and V in 16 bits and P-1 of dK and dV in fp32, Hkv heads wide: three times a forward hop's, beside 2.5 times its work. A rank that sees
// nothing of a block passes zeros on. Memory: three blocks of keys, four of sums, dQ's sums.
//
// Accumulation: all three gradients in fp32 over all hops, rounded once, so the error does not grow with P; P and dS are rounded to 16 bits before products.
// dq's last bit may differ between runs. Right when L/P is long enough to hide a hop; causal work is balanced by zigzag and striped only. Preconditions:
// D <= 256, a multiple of 8; 161 KB of shared memory a block.
#include "kernels/attention/ring_bwd_schedule.hpp"

#include "kernels/attention/kv_passing_bwd_launch.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_bwd_launch(problem, tensors, context, ring_bwd_schedule(context.link->size(), context.link->rank()));
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_bwd_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward ring between devices: K/V shares go round, fp32 sums of dK and dV travel with them",
    .supports = supports_kv_passing_launch,
    .workspace_bytes = kv_passing_bwd_launch_workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing_bwd_launch,
}};

}  // namespace
}  // namespace bench::attention
