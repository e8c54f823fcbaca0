// SPDX-License-Identifier: Apache-2.0
// The bodies of selective_bwd_block.hpp over a vector type V, for the instruction set of the caller (scratch comes by
// value: pointers in memory would be read again after every store):
//   stage_columns   softplus, its slope, the gate and its derivative, lanes = channels
//   survey_states   the recurrence from zero and the weights of a gradient behind it, lanes = states
//   states_again    the recurrence from the true start; keeps decays and states of the block
//   states_back     the reverse recurrence and every sum it feeds
//   finish_columns  du, ddelta, dz, lanes = channels
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/scan/selective_bwd_block.hpp"
#include "kernels/scan/wide.hpp"

namespace bench::scan {

/// The next block of channels of these steps, which lies in lines that the hardware's prefetchers do not expect: rows are a
/// page apart or so. Addresses beyond the tensors do no harm.
template <class T>
BS_INLINE void fetch_line(const T* row, int for_writing) {
  const auto next = reinterpret_cast<std::uintptr_t>(row) + kBackChannels * sizeof(T);
  if (for_writing == 1)
    __builtin_prefetch(reinterpret_cast<const void*>(next), 1, 2);
  else
    __builtin_prefetch(reinterpret_cast<const void*>(next), 0, 2);
}

/// Element [t][k] of the columns is step t and channel k of the block; lanes beyond its channels are unused.
template <class V, class T>
BS_INLINE void stage_columns(const BackShare<T>& share, const BackBlock& block,
                             BackScratch<StateOf<T>> s) {
  using W = Wide<V>;
  const std::int64_t width = block.channels.size();
  for (std::int64_t t = 0; t < block.steps.size(); ++t) {
    const std::int64_t row =
        (block.entry * share.rows + block.steps.begin + t) * share.channels + block.channels.begin;
    for (const T* input : {share.u, share.delta, share.z, share.dout}) fetch_line(input + row, 0);
    for (std::int64_t k = 0; k < width; k += W::kWidth) {
      const std::int64_t at = t * kBackChannels + k, count = width - k;
      const V v = W::load_some(share.delta + row + k, count) +
                  W::load_some(share.bias + block.channels.begin + k, count);
      const V z = W::load_some(share.z + row + k, count), dout = W::load_some(share.dout + row + k, count);
      const V gate = W::sigmoid(z);
      W::store(s.u + at, W::load_some(share.u + row + k, count));
      W::store(s.d + at, W::softplus(v));
      W::store(s.slope + at, W::slope(v));
      W::store(s.gy + at, dout * z * gate);
      W::store(s.dgate + at, dout * gate * (V{} + 1 + z * (V{} + 1 - gate)));
    }
  }
}

/// N values of a (C, N) row into scratch, padded with zeros.
template <class S>
BS_INLINE void load_row(const S* row, std::int64_t states, std::int64_t padded, S* to) {
  for (std::int64_t n = 0; n < states; ++n) to[n] = row[n];
  for (std::int64_t n = states; n < padded; ++n) to[n] = S{0};
}

/// Channel k of the block: s.start moves from before its steps to behind them, and with kBack s.end too; s.weight is the
/// decay of all steps since the share began.
template <class V, bool kBack, class S>
BS_INLINE void survey_states(BackScratch<S> s, std::int64_t padded, std::int64_t steps,
                             std::int64_t k) {
  using W = Wide<V>;
  for (std::int64_t n = 0; n < padded; n += W::kWidth) {
    const V a = W::load(s.a + n);
    V h = W::load(s.start + n), weight = W::load(s.weight + n), back_end = W::load(s.end + n);
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t at = t * kBackChannels + k;
      const S d = s.d[at];
      const V decay = W::exp(a * d);
      h = decay * h + W::load(s.b + t * padded + n) * (d * s.u[at]);
      if constexpr (!kBack) continue;
      weight = weight * decay;
      back_end = back_end + weight * (W::load(s.c + t * padded + n) * s.gy[at]);
    }
    W::store(s.start + n, h);
    W::store(s.end + n, back_end);
  }
}

/// Channel k: from s.start, decays, decayed states and states of all steps, and y without the skip.
template <class V, class S>
BS_INLINE void states_again(BackScratch<S> s, std::int64_t padded, std::int64_t steps,
                            std::int64_t k) {
  using W = Wide<V>;
  std::fill_n(s.y, steps * W::kWidth, S{0});
  for (std::int64_t n = 0; n < padded; n += W::kWidth) {
    const V a = W::load(s.a + n);
    V h = W::load(s.start + n);
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t row = t * padded + n;
      const S d = s.d[t * kBackChannels + k];
      const V decay = W::exp(a * d), held = decay * h;
      h = held + W::load(s.b + row) * (d * s.u[t * kBackChannels + k]);
      W::store(s.decay + row, decay);
      W::store(s.held + row, held);
      W::store(s.h + row, h);
      W::store(s.y + t * W::kWidth, W::load(s.y + t * W::kWidth) + h * W::load(s.c + row));
    }
  }
  W::sum_rows(s.y, steps, s.y_of + k, kBackChannels);
}

/// Channel k, last step first: s.end holds exp(d A) r of the step behind and moves to the first one's; db, dc
/// (64, padded N) are added to, s.sum is this block's dA.
template <class V, class S>
BS_INLINE void states_back(BackScratch<S> s, std::int64_t padded, std::int64_t steps, std::int64_t k,
                           S* db, S* dc) {
  using W = Wide<V>;
  std::fill_n(s.rb, steps * W::kWidth, S{0});
  std::fill_n(s.rac, steps * W::kWidth, S{0});
  for (std::int64_t n = 0; n < padded; n += W::kWidth) {
    const V a = W::load(s.a + n);
    V later = W::load(s.end + n), sum = {};
    for (std::int64_t t = steps - 1; t >= 0; --t) {
      const std::int64_t row = t * padded + n, lane = t * W::kWidth, at = t * kBackChannels + k;
      const S d = s.d[at];
      const V r = W::load(s.c + row) * s.gy[at] + later, rc = r * W::load(s.held + row);
      W::store(dc + row, W::load(dc + row) + W::load(s.h + row) * s.gy[at]);
      W::store(db + row, W::load(db + row) + r * (d * s.u[at]));
      W::store(s.rb + lane, W::load(s.rb + lane) + r * W::load(s.b + row));
      W::store(s.rac + lane, W::load(s.rac + lane) + rc * a);
      sum = sum + rc * d;
      later = W::load(s.decay + row) * r;
    }
    W::store(s.end + n, later);
    W::store(s.sum + n, sum);
  }
  W::sum_rows(s.rb, steps, s.rb_of + k, kBackChannels);
  W::sum_rows(s.rac, steps, s.rac_of + k, kBackChannels);
}

/// Outputs per step and channel, and the block's part of dD and ddelta_bias.
template <class V, class T>
BS_INLINE void finish_columns(const BackShare<T>& share, const BackBlock& block,
                              BackScratch<StateOf<T>> s, const Settled<StateOf<T>>& to) {
  using W = Wide<V>;
  const std::int64_t width = block.channels.size(), first = block.channels.begin;
  for (std::int64_t k = 0; k < width; k += W::kWidth) {
    const std::int64_t count = width - k;
    const V skip = W::load_some(share.skip + first + k, count);
    V dskip = {}, dbias = {};
    for (std::int64_t t = 0; t < block.steps.size(); ++t) {
      const std::int64_t at = t * kBackChannels + k;
      const std::int64_t row =
          (block.entry * share.rows + block.steps.begin + t) * share.channels + first + k;
      if (k == 0)
        for (const T* output : {share.du, share.ddelta, share.dz}) fetch_line(output + row, 1);
      const V u = W::load(s.u + at), gy = W::load(s.gy + at), rb = W::load(s.rb_of + at);
      const V ddelta = (u * rb + W::load(s.rac_of + at)) * W::load(s.slope + at);
      W::store_some(share.du + row, skip * gy + W::load(s.d + at) * rb, count);
      W::store_some(share.ddelta + row, ddelta, count);
      W::store_some(share.dz + row, W::load(s.dgate + at) * (W::load(s.y_of + at) + skip * u), count);
      dskip = dskip + gy * u;
      dbias = dbias + ddelta;
    }
    W::store_some(to.dskip + first + k, W::load_some(to.dskip + first + k, count) + dskip, count);
    W::store_some(to.dbias + first + k, W::load_some(to.dbias + first + k, count) + dbias, count);
  }
}

}  // namespace bench::scan
