// SPDX-License-Identifier: Apache-2.0
// update_mamba_ssm_command: one token's state update by the package mamba_ssm, its authors' Triton kernel (selective_state_update).
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B, H, P, N). See update.hpp.
//
// It runs in a program of its own, which --allow-commands permits (docs/commands.md). What is timed is the package's call by CUDA events, queued while its stream is
// held, so that Python's part is not in it.
// It works in place: the checked call starts from h0, timed calls go on from wherever the last one left the state. Tied parameters are handed over as views of
// stride 0, which it takes for one decay a head.
//
// Work: 5 B H P N FLOPs; the state is read and written once. Error against fp64: some eps of the state's type. Right choice: as the published rival. States in the
// order of the entries.
#include "kernels/command.hpp"
#include "kernels/scan/update.hpp"

namespace bench::scan {
namespace {

constexpr const char* kName = "scan/update_mamba_ssm_command";

std::string supports(const Problem& problem) {
  return problem_as<UpdateProblem>(problem).slots > 0 ? "slots: this kernel has the states in the order of the entries" : "";
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return start_command(kName, "of_mamba_ssm.StateUpdate", problem, tensors, context);
}

const Registrar<Kernel> registrar{{
    .name = "scan/update_mamba_ssm_command",
    .op = "ssm_update",
    .backend = Backend::command,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "mamba_ssm's selective_state_update in a program of its own, in place",
    .supports = supports,
    .prepare = prepare,
    .run = put_command,
}};

}  // namespace
}  // namespace bench::scan
