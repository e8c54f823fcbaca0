// SPDX-License-Identifier: Apache-2.0
// selective_sequential_cpu: the selective scan with the library's exp, one channel and one step at a time.
// The baseline of this op, and the form that CPU code in the field mostly has.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp. Constant B or C (C, N) and complex numbers, too.
//
// Algorithm: three nested loops, channel, step, state; h_last's row of N states is the running state. One
// thread. std::exp is a call per state, which the compiler does not vectorise; complex, with std::cos and std::sin.
//
// Work: 6 B L C N FLOPs and B L C (N + 4) exponentials, which bind. Reads u, delta, z with a stride of C. Workspace: a row of B and of C, where 16-bit
// ones are widened.
//
// Error against fp64: some 10 eps of the state's type.
//
// Right choice: as the yardstick, and for fp64. Wrong: for speed; see selective_chunked_cpu.
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_scalar.hpp"

namespace bench::scan {
namespace {

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  return 2 * p.state * p.parts() * size_of(state_dtype(p.dtype));
}

/// N: the states' numbers.
template <class T, class N>
void scan(const SelectiveProblem& p, Tensors& tensors, const Context& context) {
  const SelectiveViews<T, N> views(p, tensors, p.segments(), reinterpret_cast<N*>(context.workspace.data()));
  auto* h = tensors["h_last"].as<N>();
  for (std::int64_t i = 0; i < p.batch; ++i)
    for (std::int64_t c = 0; c < p.channels; ++c) scan_channel(views, i, c, h + (i * p.channels + c) * p.state);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const FlushDenormals flush;
  std::memcpy(tensors["h_last"].data(), tensors["h0"].data(),
              static_cast<std::size_t>(tensors["h0"].bytes()));
  dispatch(p.dtype, [&]<class T>() {
    p.complex ? scan<T, ComplexOf<StateOf<T>>>(p, tensors, context) : scan<T, StateOf<T>>(p, tensors, context);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_sequential_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "scalar loops with std::exp, one thread; the baseline",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
