// SPDX-License-Identifier: Apache-2.0
// The selective scan of one channel, one step and one state at a time with the C++ library's exp. Serves the
// sequential kernel, and the one across ranks for fp64, where the vector engine does not apply.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective.hpp"

namespace bench::scan {

/// B or C of elements T as numbers N: a group's row at each step, or a channel's own row, the same at every step.
template <class T, class N = StateOf<T>>
struct MixerRows {
  using Element = std::conditional_t<kIsComplex<N>, ComplexOf<T>, T>;
  View<const Element, 4> steps;  // (B, l, G, N)
  View<const N, 2> constant;     // (C, N)

  MixerRows(const Tensor& tensor, bool is_constant) {
    if (is_constant)
      constant = numbers<N, 2>(tensor);
    else
      steps = numbers<Element, 4>(tensor);
  }
  /// The N numbers of a step and channel. `room` is for numbers that have to be widened, and used then only.
  const N* row(std::int64_t entry, std::int64_t t, std::int64_t group, std::int64_t channel, [[maybe_unused]] N* room) const {
    if (constant.data != nullptr) return &constant(channel, 0);
    const Element* from = &steps(entry, t, group, 0);
    if constexpr (std::is_same_v<Element, N>) {
      return from;
    } else {
      for (std::int64_t n = 0; n < steps.extent[3]; ++n) {
        if constexpr (kIsComplex<N>)
          room[n] = loaded(from[n]);
        else
          room[n] = load(from[n]);
      }
      return room;
    }
  }
};

/// One rank's tensors with their types. N: the states' numbers.
template <class T, class N = StateOf<T>>
struct SelectiveViews {
  using S = StateOf<T>;
  View<const T, 3> u, delta, z;  // (B, l, C), l this rank's steps
  MixerRows<T, N> b, c;
  View<const N, 2> a;            // (C, N)
  const S* skip;                 // D (C)
  const S* bias;                 // (C)
  View<T, 3> out;                // (B, l, C)
  Segments segments;             // as this rank sees them
  std::int64_t group_channels;
  N *b_room, *c_room;            // (N) each, for 16-bit B and C

  SelectiveViews(const SelectiveProblem& p, Tensors& tensors, const Segments& sequences, N* room = nullptr)
      : b(std::as_const(tensors)["B"], p.constant_b), c(std::as_const(tensors)["C"], p.constant_c), segments(sequences), group_channels(p.group_channels()), b_room(room), c_room(room == nullptr ? nullptr : room + p.state) {
    const Tensors& in = tensors;
    u = view<T, 3>(in["u"]), delta = view<T, 3>(in["delta"]), z = view<T, 3>(in["z"]);
    a = numbers<N, 2>(in["A"]);
    skip = in["D"].as<S>(), bias = in["delta_bias"].as<S>();
    out = view<T, 3>(tensors["out"]);
  }
  std::int64_t rows() const { return u.extent[1]; }
  std::int64_t group_of(std::int64_t channel) const { return channel / group_channels; }
};

/// All steps of one channel of one batch entry: `h` holds its N states, before and after; `out` is written.
template <class T, class N>
void scan_channel(const SelectiveViews<T, N>& in, std::int64_t entry, std::int64_t channel, N* h) {
  using S = StateOf<T>;
  const std::int64_t states = in.a.extent[1], group = in.group_of(channel);
  const N* a = &in.a(channel, 0);
  for (std::int64_t t = 0; t < in.rows(); ++t) {
    const S u = load(in.u(entry, t, channel));
    const S d = softplus<S>(load(in.delta(entry, t, channel)) + in.bias[channel]);
    const N* b = in.b.row(entry, t, group, channel, in.b_room);
    const N* c = in.c.row(entry, t, group, channel, in.c_room);
    S y = in.skip[channel] * u;
    if (in.segments.start_at(t)) std::fill_n(h, states, N{});
    for (std::int64_t n = 0; n < states; ++n) {
      h[n] = sum(product(decay_of(d, a[n]), h[n]), scaled(d * u, b[n]));
      y += mixed_out(c[n], h[n]);
    }
    in.out(entry, t, channel) = store<T>(y * silu<S>(load(in.z(entry, t, channel))));
  }
}

/// The same without output, in real numbers: advances `h` and adds the steps' d to `delta_sum`, which is infinite, and the steps before
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
    const S* b = in.b.row(entry, t, group, channel, in.b_room);
    for (std::int64_t n = 0; n < states; ++n) h[n] = std::exp(d * a[n]) * h[n] + x * b[n];
    delta_sum += d;
  }
}

}  // namespace bench::scan
