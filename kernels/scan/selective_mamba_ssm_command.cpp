// SPDX-License-Identifier: Apache-2.0
// selective_mamba_ssm_command: the selective scan by the package mamba_ssm, its authors' CUDA kernel (selective_scan_fn).
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N). Formulas in selective.hpp. Constant B or C
// (C, N) and complex numbers, too.
//
// It runs in a program of its own, which --allow-commands permits (docs/commands.md). What is timed is the package's call by CUDA events, queued while its stream is
// held, so that Python's part is not in it.
// Its tensors are (B, C, L) and (B, G, N, L), complex (B, G, N, 2 L): ours are turned before and after, which is not timed. It starts from a zero state; what h0 adds, to which the
// outputs are linear, is added afterwards in fp64, so a row's time is that of the scan without a start state.
//
// Work: 6 B L C N FLOPs, B L C (N + 4) exponentials. B and C are read again for every channel.
//
// Error against fp64: fp32 states. Right choice: as the published rival. N to 256, one sequence.
#include "kernels/command.hpp"
#include "kernels/scan/selective.hpp"

namespace bench::scan {
namespace {

constexpr const char* kName = "scan/selective_mamba_ssm_command";

std::string supports(const Problem& problem) {
  if (problem_as<SelectiveProblem>(problem).state > 256) return "more than 256 states a channel";
  return needs_one_sequence(problem);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return start_command(kName, "of_mamba_ssm.SelectiveScan", problem, tensors, context);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_mamba_ssm_command",
    .op = "selective",
    .backend = Backend::command,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "mamba_ssm's selective_scan_fn in a program of its own; transposes and the start state's part untimed",
    .supports = supports,
    .prepare = prepare,
    .run = put_command,
}};

}  // namespace
}  // namespace bench::scan
