// SPDX-License-Identifier: Apache-2.0
// ssd_mamba_ssm_command: Mamba-2's scan by the package mamba_ssm, its authors' five Triton kernels (mamba_chunk_scan_combined) in chunks of Q = 256.
//
// Shapes: x, z, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0 (B, H, P, N). See ssd.hpp.
//
// It runs in a program of its own, which --allow-commands permits (docs/commands.md). What is timed is the package's call by CUDA events, queued while its stream is
// held, so that Python's part is not in it.
// The first call compiles and tunes, minutes where nothing is kept from before: --timeout has to allow for it.
//
// Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs; chunk states and C B^T are written out. Products are of 16-bit operands with fp32 sums.
//
// Error against fp64: of the rounded operands. The last state is not asked for: it is not as exact as our states are. Right choice: as the published rival.
// 16-bit inputs, one sequence.
#include "kernels/command.hpp"
#include "kernels/scan/ssd.hpp"

namespace bench::scan {
namespace {

constexpr const char* kName = "scan/ssd_mamba_ssm_command";

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& limits = problem_as<SsdProblem>(problem).limits;
  return start_command(kName, "of_mamba_ssm.ChunkScan", problem, tensors, context, {{"chunk", 256.0}, {"dt_low", limits.low}, {"dt_high", limits.high}});
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_mamba_ssm_command",
    .op = "ssd",
    .backend = Backend::command,
    .dtypes = {DType::bf16, DType::f16},
    .omits = {"h_last"},
    .about = "mamba_ssm's mamba_chunk_scan_combined in a program of its own, Q = 256; without the last state",
    .supports = needs_one_sequence,
    .prepare = prepare,
    .run = put_command,
}};

}  // namespace
}  // namespace bench::scan
