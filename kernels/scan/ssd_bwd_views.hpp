// SPDX-License-Identifier: Apache-2.0
// The tensors of a backward problem of the ssd op, with their types; see ssd_bwd.hpp.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd.hpp"

namespace bench::scan {

template <class T>
struct SsdBwdViews {
  using S = StateOf<T>;
  View<const T, 4> x, dout;      // (B, L, H, P)
  View<const T, 4> z;            // the same if gated, else null
  View<const T, 3> dt;           // (B, L, H)
  View<const T, 4> b, c;         // (B, L, G, N)
  View<const S, 4> h0, dh_last;  // (B, H, P, N)
  const S *a, *skip, *bias;      // (H)
  View<T, 4> dx, dz;             // (B, L, H, P); dz if gated
  View<T, 3> ddt;                // (B, L, H)
  View<S, 4> db, dc;             // (B, L, G, N)
  View<S, 4> dh0;                // (B, H, P, N)
  S *da, *dskip, *dbias;         // (H)
  Segments segments;
  StepLimits<S> limits;

  SsdBwdViews(const SsdProblem& p, Tensors& tensors) : segments(p.segments()), limits(p.limits.as<S>()) {
    const Tensors& in = tensors;
    x = view<T, 4>(in["x"]), dout = view<T, 4>(in["dout"]), dt = view<T, 3>(in["dt"]);
    b = view<T, 4>(in["B"]), c = view<T, 4>(in["C"]);
    h0 = view<S, 4>(in["h0"]), dh_last = view<S, 4>(in["dh_last"]);
    a = in["A"].as<S>(), skip = in["D"].as<S>(), bias = in["dt_bias"].as<S>();
    if (p.gated) z = view<T, 4>(in["z"]), dz = view<T, 4>(tensors["dz"]);
    dx = view<T, 4>(tensors["dx"]), ddt = view<T, 3>(tensors["ddt"]);
    db = view<S, 4>(tensors["dB"]), dc = view<S, 4>(tensors["dC"]), dh0 = view<S, 4>(tensors["dh0"]);
    da = tensors["dA"].as<S>(), dskip = tensors["dD"].as<S>(), dbias = tensors["ddt_bias"].as<S>();
  }
  bool gated() const { return z.data != nullptr; }
  std::int64_t batch() const { return x.extent[0]; }
  std::int64_t rows() const { return x.extent[1]; }
  std::int64_t heads() const { return x.extent[2]; }
  std::int64_t head_dim() const { return x.extent[3]; }
  std::int64_t groups() const { return b.extent[2]; }
  std::int64_t states() const { return b.extent[3]; }
  std::int64_t group_of(std::int64_t head) const { return head / (heads() / groups()); }
};

}  // namespace bench::scan
