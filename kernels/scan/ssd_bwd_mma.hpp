// SPDX-License-Identifier: Apache-2.0
// One block's work of the backward pass of Mamba-2's scan on tensor cores of sm_80 and later (mma.sync): a chunk of 64 steps, some heads of a group one after
// the other. The body only: ssd_bwd_mma_cuda.cu launches it behind the kernels that make states and their gradients (ssd_split_mma.hpp), and a test runs it on the host.
//
// With S the sum of log decays, L_ij = exp(S_i - S_j), G_ij = dY_i . x_j, h the state before the chunk and R the gradient of that behind it, per head:
//
//   dC_i = exp(S_i) h^T dY_i + sum_{j <= i} L_ij d_j G_ij B_j                     rows i, from the diagonal to the chunk's beginning
//   dB_j = d_j (exp(S_end - S_j) R^T x_j + sum_{i >= j} L_ij G_ij C_i)            rows j, from the diagonal to its end
//   dx_j = D dY_j + d_j (exp(S_end - S_j) R B_j + sum_{i >= j} L_ij (C_i . B_j) dY_i)
//
// four warps with 16 rows each, weights in registers between two products. u_t, the sum over all pairs that t lies between, is made of four
// sums: h with R, h with steps from t on, steps before t with R, and pairs inside the chunk, these as those that end at t or later less those that begin at t or
// later, without the pairs (t, t), which are in both. So a head that forgets all but the last step has its dA from what little is left and not from rounding.
//
// dB and dC are summed over the block's heads in memory, where no one else adds. Products of whose operands one is no number of T take it in two parts;
// dx and ddt are outputs of T, and dx's weights are rounded.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scan/ssd_bwd_dc.hpp"
#include "kernels/scan/ssd_bwd_dx.hpp"

namespace bench::scan {

template <class M, class T, int kStates>
class SsdBwdMma {
  static constexpr int kSteps = kSsdBwdSteps, kElements = kSsdBwdElements, kSixteens = kSteps / kSixteen;
  using Scales = SsdScales<kSteps>;
  using Numbers = SsdBwdNumbers<kSteps>;
  static constexpr int kFloatBytes = ssd_scale_bytes(Scales::kBackFloats + Numbers::kFloats);
  static constexpr int kWide = cuda::tile_bytes(kSteps, kStates), kNarrow = cuda::tile_bytes(kSteps, kElements);
  static constexpr int kHigh = cuda::tile_bytes(kElements, kStates);

 public:
  static constexpr int kThreads = 128;
  static constexpr int kSharedBytes = kFloatBytes + 2 * kWide + 3 * kNarrow + 2 * kHigh;
  static BS_HOST_DEVICE int blocks(const SsdBwdJob& job) { return SsdBwdPlace::blocks(job); }

  BS_DEVICE explicit SsdBwdMma(const SsdBwdJob& job) : chunk_{job, SsdBwdPlace(job, M::block()), {}, {}, {}} {
    set_tiles();
    chunk_.scales = {M::shared_floats()};
    chunk_.numbers = {chunk_.scales.base + Scales::kBackFloats};
  }

  BS_DEVICE void run() {
    const SsdBwdJob& job = chunk_.job;
    const SsdBwdPlace& place = chunk_.place;
    const int parts = job.parts(kElements);
    for (int unit = 0; unit < place.heads * parts; ++unit) {
      const SsdPlace at(job, (place.entry * job.heads + place.head) * parts + unit, kElements);
      const std::int64_t state = place.chunk * job.all_states() + at.of_states(job);
      set_tiles();  // anew, as addresses in them are not worth registers from head to head
      load(at, unit == 0);
      split_states<M, T, kThreads, kElements, kStates>(chunk_.tiles, job.before + state, nullptr, at.elements, job.state);
      M::template wait<0>();
      M::sync();  // tiles, decays and the state are here for all
      if (chunk_.gated()) {
        ungate<M, T, kThreads, kSteps>(chunk_.tiles);
        M::sync();  // dY is here for all
      }
      give_dc<M, T>(chunk_, unit == 0);
      M::sync();  // nobody reads the state any more
      leave_dot(split_states<M, T, kThreads, kElements, kStates>(chunk_.tiles, job.after + state, job.before + state, at.elements, job.state));
      M::sync();  // the gradient of the state behind is here for all
      set_tiles();
      give_db_and_dx<M, T>(chunk_, at, unit == 0);
      M::sync();  // the numbers of all steps are here, and nobody reads a tile any more
      if (M::thread() < 32) give_sums(at);  // the same warp makes the next decays, and other numbers wait for all in any case
    }
  }

 private:
  BS_DEVICE void set_tiles() {
    const std::uint32_t c = M::fresh(M::shared() + kFloatBytes), x = c + 2 * kWide, h = x + 3 * kNarrow;
    chunk_.tiles = {c, c + kWide, x, x + kNarrow, x + 2 * kNarrow, h, h + kHigh};
  }

  BS_DEVICE void load(const SsdPlace& at, bool first) const {
    const SsdBwdJob& job = chunk_.job;
    const int t0 = chunk_.first_step(), there = job.seq - t0, pitch = M::fresh(job.head_pitch());
    using Wide = cuda::TileFetch<M, T, kThreads, kStates>;
    using Narrow = cuda::TileFetch<M, T, kThreads, kElements>;
    if (first) {
      Wide::template rows_apart<kSteps>(chunk_.tiles.c, static_cast<const T*>(job.c) + at.of_groups(job, t0), job.group_pitch(), job.state, there);
      Wide::template rows_apart<kSteps>(chunk_.tiles.b, static_cast<const T*>(job.b) + at.of_groups(job, t0), job.group_pitch(), job.state, there);
    }
    const std::int64_t from = at.of_heads(job, t0);
    Narrow::template rows_apart<kSteps>(chunk_.tiles.x, static_cast<const T*>(job.x) + from, pitch, at.elements, there);
    Narrow::template rows_apart<kSteps>(chunk_.tiles.dy, static_cast<const T*>(job.dout) + from, pitch, at.elements, there);
    if (chunk_.gated()) Narrow::template rows_apart<kSteps>(chunk_.tiles.dy_low, static_cast<const T*>(job.z) + from, pitch, at.elements, there);
    M::commit();
    if (M::thread() >= 32) return;
    SsdSteps<M, T, kSteps, true> steps;
    steps.ask(job, at, t0);
    steps.write(job, at, chunk_.scales);
  }

  BS_DEVICE void leave_dot(float dot) const {
    BS_UNROLL
    for (int lanes = 16; lanes > 0; lanes /= 2) dot += M::shuffle_xor(dot, lanes);
    if (chunk_.lane() == 0) chunk_.numbers.dot(chunk_.warp()) = dot;
  }

  /// By one warp: w and u of all steps.
  BS_DEVICE void give_sums(const SsdPlace& at) const {
    constexpr int kEach = kSteps / 32;
    const SsdBwdJob& job = chunk_.job;
    const Scales scales = chunk_.scales;
    const Numbers numbers = chunk_.numbers;
    const float dot = numbers.dot(0) + numbers.dot(1) + numbers.dot(2) + numbers.dot(3);
    const float a = job.a[at.head] * kLog2E, with_both = scales.carry() == 0.0F ? 0.0F : scales.carry() * dot;
    float from[kEach], given[kEach], all_from = 0.0F, all_given = 0.0F;  // from: pairs that end at a step, those that begin there taken away
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      const int t = chunk_.lane() * kEach + k;
      from[k] = 0.0F;
      BS_UNROLL
      for (int w = 0; w < kSixteens; ++w) from[k] += numbers.from_sixteen(w, t);
      from[k] += numbers.from_before(t) - scales.step(t) * numbers.to_later(t);
      given[k] = scales.step(t) * numbers.to_after(t);
      all_from += from[k];
      all_given += given[k];
    }
    float behind = sums_around<M>(all_from).behind, before[kEach];
    before[0] = sums_around<M>(all_given).before;
    BS_UNROLL
    for (int k = 1; k < kEach; ++k) before[k] = before[k - 1] + given[k - 1];
    const std::int64_t unit = (static_cast<std::int64_t>(at.entry) * job.heads + at.head) * job.parts(kElements) + at.element0 / kElements;
    SsdStepSums* const to = job.sums + unit * job.seq + chunk_.first_step();
    BS_UNROLL
    for (int k = kEach - 1; k >= 0; --k) {
      const int t = chunk_.lane() * kEach + k;
      behind += from[k];
      const bool begins = scales.origin(t) == static_cast<float>(t) && (t > 0 || scales.enter(0) == 0.0F);
      const float u = begins || scales.step(t) * a < kForgets ? 0.0F : behind + before[k] + with_both;
      if (chunk_.first_step() + t < job.seq) to[t] = {numbers.to_steps(t) + numbers.to_after(t), u, numbers.skip(t)};
    }
  }

  /// What a step that decays by less lets through is below the sums' rounding, which d, large then, would bring into dA.
  static constexpr float kForgets = -32.0F;

  SsdBwdChunk<M, kStates> chunk_;
};

}  // namespace bench::scan
