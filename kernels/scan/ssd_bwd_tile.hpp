// SPDX-License-Identifier: Apache-2.0
// The vector engine of the backward pass of Mamba-2's scan: some heads of one group of one batch entry, first
// all steps forwards, then all steps backwards. fp64 tensors are computed in fp64, all others in fp32.
//
// Everything is the forward engine's core (ssd_stages.hpp: out += state c, state += in b), three times:
//   dC   forwards,  lanes = states n,   in = B,    b = x,    c = dout, its state is S
//   dx   backwards, lanes = elements i, in = dout, b = C,    c = B,    its state is R
//   dB   backwards, lanes = states n,   in = C,    b = dout, c = x,    its state is R again
// so R is made twice, 12 FLOPs an element of state where 10 would do; with one R for both, either dx or dB
// would be a sum across lanes. Backwards the decay before a step is that of the step after it.
//
// In all three the core's result leaves out the step's own x_t B_t^T or dout_t C_t^T, which is added after:
// with g_t = dout_t . x_t and m_t = C_t . B_t
//   dC_t = (e_t S_{t-1})^T dout_t + d_t g_t B_t,  R_t B_t = (e_{t+1} R_{t+1}) B_t + m_t dout_t
//   dB_t = d_t ((e_{t+1} R_{t+1})^T x_t + g_t C_t)
// and so u_t = <R_t, e_t S_{t-1}> falls off as a running sum without states of each step:
//   u_t = u_{t+1} + dout_t . (e_t S_{t-1}) C_t - d_t x_t . (e_{t+1} R_{t+1}) B_t
// Its terms are as small as the decays make u; with R_t and S_t for the products they would be large and
// cancel. Rounding of such a sum grows with its length, so at the end of each chunk u is made anew from the
// kept S and R. A step whose decay is nothing has u = 0 exactly.
#pragma once

#include <cstdint>

#include "kernels/isa.hpp"
#include "kernels/rounding.hpp"
#include "kernels/scan/ssd_bwd_views.hpp"
#include "kernels/scan/ssd_tile.hpp"

namespace bench::scan {

/// Numbers of a packed state of `lanes` by `others`.
std::int64_t ssd_packed_states(std::int64_t lanes, std::int64_t others);

/// What a pass keeps of each head of each batch entry, and the numbers of the state's type that it takes.
template <class S>
struct SsdKept {
  std::int64_t heads, seq, by_n_size, by_i_size;  // heads: of all entries, B H
  S* states;       // [chunk][head][by_n_size]: S after the chunk, over exp(open)
  double* opens;   // [chunk][head]
  S *by_n, *by_i;  // [head][...]: R, over exp(open)
  double* open;    // [head]
  S* next_d;       // [head]: d of the step after the chunk, 0 at the end
  S* held;         // [head][L]: dout_t . (e_t S_{t-1}) C_t
  S* gains;        // [head][L]: dout_t . x_t
  double* sums;    // [head][3]: dA, dD, ddt_bias

  S* state_of(std::int64_t chunk, std::int64_t head) const {
    return states + (chunk * heads + head) * by_n_size;
  }
};

/// One thread's part: the heads [heads.begin, heads.end) of batch entry `entry`, all of one group.
template <class T>
struct SsdBackUnit {
  using S = StateOf<T>;
  const SsdBwdViews<T>* in;
  std::int64_t entry = 0, group = 0;
  Range heads;
  S *db = nullptr, *dc = nullptr;  // (B, L, G, N), where the sums over these heads go
  const SsdKept<S>* kept = nullptr;
  S* scratch = nullptr;  // ssd_bwd_scratch numbers
};

std::int64_t ssd_bwd_scratch(std::int64_t head_dim, std::int64_t states);

/// Writes dx, ddt, dh0 of the unit's heads, db and dc, and the heads' sums. T: double, float, Bf16 or F16.
template <class T>
void run_ssd_back_unit(const SsdBackUnit<T>& unit, Isa isa = best_isa());

}  // namespace bench::scan
