// SPDX-License-Identifier: Apache-2.0
// What the launches of the ssd op's backward pass on a device are told, and the scratch that they hand each other.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_job.hpp"

namespace bench::scan {

inline constexpr int kSsdBwdSteps = 64, kSsdBwdElements = 64;
inline constexpr int kSsdBwdHeads = 8;    // of a group, that a block takes one after the other: they share B, C and the sums dB and dC
inline constexpr int kSsdBwdSpan = 1024;  // steps that a block of SsdBwdSteps adds up

/// What a step of a head adds to others' sums (ssd_bwd.hpp): w_t, u_t and dout_t . x_t, dout ungated.
struct SsdStepSums {
  float w, u, skip;
};

/// SsdJob's inputs, dout, out = dz -> the outputs of ssd_bwd.hpp. Elements of a head come in parts of kSsdBwdElements, heads of a group in shares.
struct SsdBwdJob : SsdJob {
  const float* dh_last;
  void *dx, *ddt;
  float *da, *db, *dc, *dskip, *dbias, *dh0;
  const float *before, *after;   // (chunks, B, H, P, N): the state before a chunk, and the gradient of that behind it
  float *db_shares, *dc_shares;  // (shares, B, L, G, N); dB and dC themselves where there is one share
  SsdStepSums* sums;             // (B, H, parts, L)
  SsdStepSums* span_sums;        // (B, spans, H): w is ddt_bias' and u dA's share
  int shares;

  BS_HOST_DEVICE int group_heads() const { return heads / groups; }
  BS_HOST_DEVICE std::int64_t mixers() const { return static_cast<std::int64_t>(batch) * seq * group_pitch(); }
  BS_HOST_DEVICE int spans() const { return chunks(kSsdBwdSpan); }
};

/// Elements of the scratch arrays.
struct SsdBwdScratch {
  std::int64_t shares, states, keep, mixers, sums, span_sums;

  explicit SsdBwdScratch(const SsdProblem& p) {
    const std::int64_t all_heads = p.batch * p.heads, chunks = ceil_div(p.seq, kSsdBwdSteps);
    shares = ceil_div(p.group_heads(), kSsdBwdHeads);
    states = chunks * all_heads * p.head_states();
    keep = chunks * all_heads;
    mixers = shares > 1 ? shares * p.batch * p.seq * p.groups * p.state : 0;
    sums = all_heads * ceil_div(p.head_dim, kSsdBwdElements) * p.seq;
    span_sums = all_heads * ceil_div(p.seq, kSsdBwdSpan);
  }
};

/// One block's place: a chunk, and some heads of a group of an entry.
struct SsdBwdPlace {
  int entry, group, share, chunk, head, heads;  // heads head .. head + heads - 1

  static BS_HOST_DEVICE int blocks(const SsdBwdJob& job) { return job.shares * job.groups * job.batch * job.chunks(kSsdBwdSteps); }
  BS_HOST_DEVICE SsdBwdPlace(const SsdBwdJob& job, int block) {
    share = block % job.shares;
    block /= job.shares;
    group = block % job.groups;
    block /= job.groups;
    entry = block % job.batch;
    chunk = block / job.batch;
    head = group * job.group_heads() + share * kSsdBwdHeads;
    heads = job.group_heads() - share * kSsdBwdHeads < kSsdBwdHeads ? job.group_heads() - share * kSsdBwdHeads : kSsdBwdHeads;
  }
};

}  // namespace bench::scan
