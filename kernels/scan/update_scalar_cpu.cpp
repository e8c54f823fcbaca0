// SPDX-License-Identifier: Apache-2.0
// update_scalar_cpu: one token's state update with the library's exp, one state at a time. The baseline of
// this op.
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B,
// H, P, N). Formulas in update.hpp.
//
// Work: 5 B H P N FLOPs, 6 untied and then an exp a state; the sum over n is a chain of additions, which the
// compiler must keep in order. One thread.
//
// Error against fp64: some eps of the state's type.
//
// Right choice: as the yardstick. Wrong: for speed; see update_cpu.
#include <cmath>

#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/update.hpp"

namespace bench::scan {
namespace {

/// One element of a head: N states from `from` to `to`; returns the sum over C h. `a`: M = 1 or N decays.
template <class T, class S>
S update_row(S d, S u, const S* a, bool tied, const T* b, const T* c, std::int64_t states, const S* from,
             S* to) {
  S y = S{0};
  const S shared = std::exp(d * a[0]);
  for (std::int64_t n = 0; n < states; ++n) {
    const S decay = tied ? shared : std::exp(d * a[n]);
    to[n] = decay * from[n] + d * u * load(b[n]);
    y += to[n] * load(c[n]);
  }
  return y;
}

template <class T>
void update_head(const UpdateViews<T>& v, bool tied, std::int64_t entry, std::int64_t slot, std::int64_t head) {
  using S = StateOf<T>;
  const std::int64_t group = v.group_of(head);
  for (std::int64_t i = 0; i < v.head_dim(); ++i) {
    const std::int64_t w = tied ? 0 : i;
    const S d = softplus<S>(load(v.dt(entry, head, w)) + v.bias(head, w)), u = load(v.x(entry, head, i));
    const S y = update_row<T, S>(d, u, &v.a(head, w, 0), tied, &v.b(entry, group, 0), &v.c(entry, group, 0),
                                 v.states(), &v.h0(slot, head, i, 0), &v.h_last(entry, head, i, 0));
    v.out(entry, head, i) = store<T>((y + v.skip(head, w) * u) * silu<S>(load(v.z(entry, head, i))));
  }
}

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const FlushDenormals flush;
  dispatch(p.dtype, [&]<class T>() {
    const UpdateViews<T> views(tensors);
    for (std::int64_t entry = 0; entry < p.batch; ++entry)
      for (std::int64_t head = 0; head < p.heads; ++head) {
        const std::int64_t slot = p.slot_of(entry);
        slot < 0 ? clear_head(views, entry, head) : update_head(views, p.tied, entry, slot, head);
      }
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/update_scalar_cpu",
    .op = "ssm_update",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "scalar loops with std::exp, one thread; the baseline",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
