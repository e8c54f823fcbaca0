// SPDX-License-Identifier: Apache-2.0
// recurrence_fla_command: h_t = a_t * h_{t-1} + b_t by the package fla, its Triton kernels of HGRN (chunk_hgrn).
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp.
//
// It runs in a program of its own, which --allow-commands permits (docs/commands.md). What is timed is the package's call by CUDA events, queued while its stream is
// held, so that Python's part is not in it.
// It takes log a, which is made before and not timed: decays have to be positive, which the op's are. The exponential is in its time.
//
// Work: 2 B L C FLOPs and an exponential a step; chunks in a first kernel, carries in a second one.
//
// Error against fp64: log and exp cost some eps of |log a|. Its last state is of the inputs' type, so fp32 only. Right choice: as the published rival.
// One sequence, time in the middle.
#include "kernels/command.hpp"
#include "kernels/scan/recurrence.hpp"

namespace bench::scan {
namespace {

constexpr const char* kName = "scan/recurrence_fla_command";

std::string supports(const Problem& problem) {
  const std::string reason = needs_time_middle(problem);
  return reason.empty() ? needs_one_sequence(problem) : reason;
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return start_command(kName, "of_fla.Recurrence", problem, tensors, context);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_fla_command",
    .op = "recurrence",
    .backend = Backend::command,
    .dtypes = {DType::f32},
    .about = "fla's chunk_hgrn in a program of its own; log a untimed",
    .supports = supports,
    .prepare = prepare,
    .run = put_command,
}};

}  // namespace
}  // namespace bench::scan
