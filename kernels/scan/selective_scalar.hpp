// SPDX-License-Identifier: Apache-2.0
// The selective scan of one channel, one step and one state at a time with the C++ library's exp. Serves the
// sequential kernel, and the one across ranks for fp64, where the vector engine does not apply.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective.hpp"

namespace bench::scan {

/// One rank's tensors with their types.
template <class T>
struct SelectiveViews {
  using S = StateOf<T>;
  View<const T, 3> u, delta, z;  // (B, l, C), l this rank's steps
  View<const T, 4> b, c;         // (B, l, G, N)
  View<const S, 2> a;            // (C, N)
  const S* skip;                 // D (C)
  const S* bias;                 // (C)
  View<T, 3> out;                // (B, l, C)
  Segments segments;             // as this rank sees them

  SelectiveViews(Tensors& tensors, const Segments& sequences) : segments(sequences) {
    const Tensors& in = tensors;
    u = view<T, 3>(in["u"]), delta = view<T, 3>(in["delta"]), z = view<T, 3>(in["z"]);
    b = view<T, 4>(in["B"]), c = view<T, 4>(in["C"]);
    a = view<S, 2>(in["A"]);
    skip = in["D"].as<S>(), bias = in["delta_bias"].as<S>();
    out = view<T, 3>(tensors["out"]);
  }
  std::int64_t rows() const { return u.extent[1]; }
  std::int64_t group_of(std::int64_t channel) const { return channel / (u.extent[2] / b.extent[2]); }
};

/// All steps of one channel of one batch entry: `h` holds its N states, before and after; `out` is written.
template <class T>
void scan_channel(const SelectiveViews<T>& in, std::int64_t entry, std::int64_t channel, StateOf<T>* h) {
  using S = StateOf<T>;
  const std::int64_t states = in.a.extent[1], group = in.group_of(channel);
  const S* a = &in.a(channel, 0);
  for (std::int64_t t = 0; t < in.rows(); ++t) {
    const S u = load(in.u(entry, t, channel));
    const S d = softplus<S>(load(in.delta(entry, t, channel)) + in.bias[channel]);
    const T* b = &in.b(entry, t, group, 0);
    const T* c = &in.c(entry, t, group, 0);
    S y = in.skip[channel] * u;
    if (in.segments.start_at(t)) std::fill_n(h, states, S{0});
    for (std::int64_t n = 0; n < states; ++n) {
      h[n] = std::exp(d * a[n]) * h[n] + d * u * load(b[n]);
      y += load(c[n]) * h[n];
    }
    in.out(entry, t, channel) = store<T>(y * silu<S>(load(in.z(entry, t, channel))));
  }
}

/// The same without output: advances `h` and adds the steps' d to `delta_sum`, which is infinite, and the steps before
/// are left out, where a packed sequence begins.
template <class T>
void carry_channel(const SelectiveViews<T>& in, std::int64_t entry, std::int64_t channel,
                   StateOf<T>& delta_sum, StateOf<T>* h) {
  using S = StateOf<T>;
  const std::int64_t states = in.a.extent[1], group = in.group_of(channel);
  const S* a = &in.a(channel, 0);
  const std::int64_t start = in.segments.last_start({0, in.rows()});
  if (start >= 0) delta_sum = kForgets<S>;
  for (std::int64_t t = std::max<std::int64_t>(start, 0); t < in.rows(); ++t) {
    const S d = softplus<S>(load(in.delta(entry, t, channel)) + in.bias[channel]);
    const S x = d * load(in.u(entry, t, channel));
    const T* b = &in.b(entry, t, group, 0);
    for (std::int64_t n = 0; n < states; ++n) h[n] = std::exp(d * a[n]) * h[n] + x * load(b[n]);
    delta_sum += d;
  }
}

}  // namespace bench::scan
