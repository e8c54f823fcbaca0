// SPDX-License-Identifier: Apache-2.0
// selective_sequential_cpu: the selective scan with the library's exp, one channel and one step at a time.
// The baseline of this op, and the form that CPU code in the field mostly has.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp.
//
// Algorithm: three nested loops, channel, step, state; h_last's row of N states is the running state. One
// thread. std::exp is a call per state, which the compiler does not vectorise.
//
// Work: 6 B L C N FLOPs and B L C (N + 4) exponentials, which bind. Reads u, delta, z with a stride of C.
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

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const FlushDenormals flush;
  std::memcpy(tensors["h_last"].data(), tensors["h0"].data(),
              static_cast<std::size_t>(tensors["h0"].bytes()));
  dispatch(p.dtype, [&]<class T>() {
    const SelectiveViews<T> views(tensors, p.segments());
    auto* h = tensors["h_last"].as<StateOf<T>>();
    for (std::int64_t i = 0; i < p.batch; ++i)
      for (std::int64_t c = 0; c < p.channels; ++c)
        scan_channel<T>(views, i, c, h + (i * p.channels + c) * p.state);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_sequential_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "scalar loops with std::exp, one thread; the baseline",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
