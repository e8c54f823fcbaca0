// SPDX-License-Identifier: Apache-2.0
// What a device does with carries: it goes through a run of records, from a state or from nothing, and leaves the state behind them and, where that is asked for,
// the record that they are together. A lane a state. The body only: files ending in .cu launch it, and a test runs it on the host.
//
// A record has a decay a row (channel or head) and the `each` states e of the row that its steps leave when they start from zero: state <- decay * state + e. The
// same body makes a share's record of its chunks', joins two ranks' records, and takes a state behind the ranks before.
//
// ProductDecays: the decay is what is left of the state, in (0, 1] or whatever the recurrence's a are. SumDecays: it is a sum of d, what is left is exp(A sum),
// so 1 + N numbers say what 2 N would; where a packed sequence begins it is infinite. A decay that leaves nothing forgets by selection: 0 times an infinity is NaN.
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/cuda/gates.hpp"

namespace bench::scan {

/// Where a run of records lies: record k's decay of row r and its states are found by steps (floats). Rows are side by side in groups of `inner`.
struct CarryRun {
  const float *decays = nullptr, *ends = nullptr;
  std::int64_t decay_step = 0, end_step = 0;    // from a record to the next
  std::int64_t decay_outer = 0, end_outer = 0;  // from a group of rows to the next
  std::int64_t inner = std::int64_t{1} << 62;
  std::int64_t row0 = 0;  // the job's first row is this one here
  int pitch = 1;          // from a number to its neighbour
  int count = 0;
};

struct CarryJob {
  CarryRun run;
  const float* from = nullptr;                 // states of the job's rows; null: nothing
  float *to = nullptr, *to_decays = nullptr;   // no part of the run; null: not asked for
  const float* a = nullptr;                    // SumDecays: A, of a_rows rows
  std::int64_t a_rows = 1, row0 = 0;           // the job's first row is row0 mod a_rows of them
  std::int64_t rows = 0, each = 1;
};

template <class M>
struct ProductDecays {
  static constexpr float kNone = 1.0F;
  static BS_DEVICE float joined(float earlier, float later) { return left(later, earlier); }

  BS_DEVICE ProductDecays(const CarryJob& /*job*/, std::int64_t /*row*/, std::int64_t /*n*/) {}
  BS_DEVICE float operator()(float decay, float state) const { return left(decay, state); }

 private:
  /// A product of decays may leave fp32's range; of a state of zero it leaves zero even so.
  static BS_DEVICE float left(float decay, float state) { return decay == 0.0F || (state == 0.0F && decay == decay) ? 0.0F : decay * state; }
};

template <class M>
class SumDecays {
 public:
  static constexpr float kNone = 0.0F;
  static BS_DEVICE float joined(float earlier, float later) { return earlier + later; }

  /// Of state n of a row.
  BS_DEVICE SumDecays(const CarryJob& job, std::int64_t row, std::int64_t n) : a_log2_(job.a[(job.row0 + row) % job.a_rows * job.each + n] * cuda::kLog2E) {}
  BS_DEVICE float operator()(float decay, float state) const { return decay == kForgetsAll ? 0.0F : M::exp2(a_log2_ * decay) * state; }

 private:
  static constexpr float kForgetsAll = std::numeric_limits<float>::infinity();
  float a_log2_;
};

template <class M, class Decays>
struct CarryThrough {
  static constexpr int kThreads = 128;
  static BS_HOST_DEVICE std::int64_t blocks(const CarryJob& job) { return (job.rows * job.each + kThreads - 1) / kThreads; }

  static BS_DEVICE void run(const CarryJob& job) {
    const std::int64_t i = static_cast<std::int64_t>(M::block()) * kThreads + M::thread();
    if (i >= job.rows * job.each) return;
    const std::int64_t row = i / job.each, n = i % job.each;
    const CarryRun& run = job.run;
    const std::int64_t there = run.row0 + row, outer = there / run.inner, inner = there % run.inner;
    const float* decay = run.decays + outer * run.decay_outer + inner * run.pitch;
    const float* end = run.ends + outer * run.end_outer + (inner * job.each + n) * run.pitch;
    const Decays left(job, row, n);
    float state = job.from == nullptr ? 0.0F : job.from[i], all = Decays::kNone;
    BS_UNROLL_BY(4)
    for (int k = 0; k < run.count; ++k) {
      const float now = *decay;
      state = left(now, state) + *end;
      all = Decays::joined(all, now);
      decay += run.decay_step;
      end += run.end_step;
    }
    job.to[i] = state;
    if (job.to_decays != nullptr && n == 0) job.to_decays[row] = all;
  }
};

}  // namespace bench::scan
