// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_tile.hpp"

#include <algorithm>

#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective_stages.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {
namespace {

void pack(const Job& job, Packed& packed) {
  const std::int64_t states = job.share.states, first = job.strip.channels.begin,
                     width = job.strip.channels.size();
  std::fill_n(packed.a, job.packs() * kLanes * states, 0.0F);
  std::fill_n(packed.h, job.packs() * kLanes * states, 0.0F);
  std::fill_n(packed.skip, kTileChannels, 0.0F);
  std::fill_n(packed.bias, kTileChannels, 0.0F);
  std::fill_n(packed.delta_sum, kTileChannels, 0.0F);
  std::copy_n(job.share.skip + first, width, packed.skip);
  std::copy_n(job.share.bias + first, width, packed.bias);
  for (std::int64_t c = 0; c < width; ++c) {
    for (std::int64_t n = 0; n < states; ++n) {
      packed.a[packed_index(c, n, states)] = job.share.a[(first + c) * states + n] * kLog2e;
      packed.h[packed_index(c, n, states)] = job.h[(first + c) * states + n];
    }
  }
}

/// A sequence begins: no state, and for carries no trace of the one before.
void forget(const Job& job, Packed& packed) {
  std::fill_n(packed.h, job.packs() * kLanes * job.share.states, 0.0F);
  std::fill_n(packed.delta_sum, kTileChannels, kForgets<float>);
}

void unpack(const Job& job, const Packed& packed) {
  const std::int64_t states = job.share.states, first = job.strip.channels.begin;
  for (std::int64_t c = 0; c < job.strip.channels.size(); ++c) {
    for (std::int64_t n = 0; n < states; ++n)
      job.h[(first + c) * states + n] = packed.h[packed_index(c, n, states)];
    if (job.delta_sum != nullptr) job.delta_sum[first + c] = packed.delta_sum[c];
  }
}

template <class V, class T>
BS_INLINE void run_strip(const Job& job) {
  Packed packed;
  Tile tile;
  pack(job, packed);
  for (std::int64_t t = job.rows.begin; t < job.rows.end; t += tile.steps) {
    tile.steps = job.share.segments.piece_at(t, job.rows.end, kTileSteps).size();
    if (job.share.segments.start_at(t)) forget(job, packed);
    if (job.delta_sum != nullptr) {
      stage<V, T, false>(job, t, packed, tile);
      sum_delta<V>(tile, job.packs() * kLanes, packed.delta_sum);
      run_core<V, false>(job, packed, tile);
    } else {
      stage<V, T, true>(job, t, packed, tile);
      run_core<V, true>(job, packed, tile);
      finish<V, T>(job, t, packed, tile);
    }
  }
  unpack(job, packed);
}

template <class T>
BS_TARGET_AVX512 void run_avx512(const Job& job) {
  run_strip<simd::F32x16, T>(job);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
BS_TARGET_AVX2 void run_avx2(const Job& job) {
  run_strip<simd::F32x8, T>(job);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
void run_plain(const Job& job) {
  run_strip<simd::F32x4, T>(job);
}

template <class T>
void run_on(Isa isa, const Job& job) {
  const FlushDenormals flush;
  if (isa == Isa::avx512) return run_avx512<T>(job);
  if (isa == Isa::avx2) return run_avx2<T>(job);
  run_plain<T>(job);
}

void run(Isa isa, const Job& job) {
  BS_REQUIRE(job.share.dtype != DType::f64, "the vector engine computes in fp32");
  if (job.share.dtype == DType::f32) return run_on<float>(isa, job);
  if (job.share.dtype == DType::bf16) return run_on<Bf16>(isa, job);
  run_on<F16>(isa, job);
}

/// Rows of N states, lanes = states.
template <class V>
BS_INLINE void apply_rows(const float* a, std::int64_t channels, std::int64_t states, const float* delta_sum,
                          const float* earlier_h, float* later_h) {
  for (std::int64_t c = 0; c < channels; ++c) {
    if (delta_sum[c] == kForgets<float>) continue;
    for (std::int64_t n = 0; n < states; n += simd::kWidth<V>) {
      const std::int64_t at = c * states + n, count = states - n;
      const V decay = simd::exp2<V>(simd::load_some<V>(a + at, count) * kLog2e * delta_sum[c]);
      simd::store_some<V>(
          later_h + at,
          decay * simd::load_some<V>(earlier_h + at, count) + simd::load_some<V>(later_h + at, count), count);
    }
  }
}
BS_TARGET_AVX512 void apply_avx512(const float* a, std::int64_t channels, std::int64_t states,
                                   const float* delta_sum, const float* earlier_h, float* later_h) {
  apply_rows<simd::F32x16>(a, channels, states, delta_sum, earlier_h, later_h);
  BS_LEAVE_WIDE_VECTORS();
}
void apply_plain(const float* a, std::int64_t channels, std::int64_t states, const float* delta_sum,
                 const float* earlier_h, float* later_h) {
  apply_rows<simd::F32x4>(a, channels, states, delta_sum, earlier_h, later_h);
}

}  // namespace

SelectiveShare make_share(const SelectiveProblem& problem, Tensors& tensors, int rank) {
  SelectiveShare share;
  share.dtype = problem.dtype;
  share.rows = tensors["u"].shape()[1];
  share.channels = problem.channels;
  share.states = problem.state;
  share.groups = problem.groups;
  share.u = tensors["u"].data();
  share.delta = tensors["delta"].data();
  share.z = tensors["z"].data();
  share.b = tensors["B"].data();
  share.c = tensors["C"].data();
  share.a = tensors["A"].as<float>();
  share.skip = tensors["D"].as<float>();
  share.bias = tensors["delta_bias"].as<float>();
  share.out = tensors["out"].data();
  share.segments = problem.segments(rank);
  return share;
}

std::int64_t widest_strip(std::int64_t states) {
  return std::clamp(kStripFloats / states / kLanes * kLanes, kLanes, kTileChannels);
}

std::int64_t strip_width(const SelectiveProblem& p) {
  const auto strips = [&](std::int64_t width) {
    return p.batch * p.groups * ceil_div(p.group_channels(), width);
  };
  const auto longest = [&](std::int64_t width) { return ceil_div(strips(width), p.threads) * width; };
  std::int64_t best = widest_strip(p.state);
  for (std::int64_t width = best / 2 / kLanes * kLanes; width >= kNarrowestStrip;
       width = width / 2 / kLanes * kLanes)
    if (strips(best) < p.threads || 10 * longest(width) < 9 * longest(best)) best = width;
  return best;
}

std::int64_t strips_per_entry(const SelectiveShare& share, std::int64_t width) {
  return share.groups * ceil_div(share.channels / share.groups, width);
}

Strip strip_at(const SelectiveShare& share, std::int64_t width, std::int64_t i) {
  const std::int64_t group_channels = share.channels / share.groups;
  const std::int64_t per_group = ceil_div(group_channels, width), per_entry = per_group * share.groups;
  const std::int64_t group = i % per_entry / per_group, first = i % per_group * width;
  const std::int64_t last = std::min(first + width, group_channels);
  return {i / per_entry, group, {group * group_channels + first, group * group_channels + last}};
}

void scan_strip(const SelectiveShare& share, const Strip& strip, Range rows, float* h, Isa isa) {
  run(isa, Job{share, strip, rows, h, nullptr});
}

void carry_strip(const SelectiveShare& share, const Strip& strip, Range rows, float* delta_sum, float* h,
                 Isa isa) {
  rows.begin = std::max(rows.begin, share.segments.last_start(rows));
  run(isa, Job{share, strip, rows, h, delta_sum});
}

void apply_carry(const float* a, std::int64_t channels, std::int64_t states, const float* delta_sum,
                 const float* earlier_h, float* later_h) {
  const FlushDenormals flush;
  const auto apply = has_isa(Isa::avx512) ? apply_avx512 : apply_plain;
  apply(a, channels, states, delta_sum, earlier_h, later_h);
}

}  // namespace bench::scan
