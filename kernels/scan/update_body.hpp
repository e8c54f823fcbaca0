// SPDX-License-Identifier: Apache-2.0
// One block's work of a token's state update on a device: some rows of one head of one batch entry. The body only: update_cuda.cu launches it, and a test
// runs it on the host.
//
// A step reads each state once and writes it once, and does next to nothing with it. So kLanes neighbouring lanes take a row of N states in 16-byte
// pieces, kAtOnce rows of theirs on their way at a time, past the caches; B and C of those states stay in registers for all rows. y is summed
// over the lanes for all rows together.
#pragma once

#include <cstdint>

#include "kernels/cuda/lanes.hpp"
#include "kernels/scan/lane_gates.hpp"
#include "kernels/scan/update.hpp"

namespace bench::scan {

/// Tensors as update.hpp has them, at their device's addresses.
struct UpdateJob {
  const void *x, *dt, *b, *c, *z;
  const float *a, *skip, *bias, *h0;
  const std::int32_t* slots;  // state_batch_indices (B); null: entry b has state b
  void* out;
  float* h_last;
  int batch, heads, head_dim, state, groups;
};

inline UpdateJob update_job(const UpdateProblem& p) {
  UpdateJob job{};
  job.batch = static_cast<int>(p.batch);
  job.heads = static_cast<int>(p.heads);
  job.head_dim = static_cast<int>(p.head_dim);
  job.state = static_cast<int>(p.state);
  job.groups = static_cast<int>(p.groups);
  return job;
}

/// `kTied`: one decay a head (A, dt, D, dt_bias (H, 1)), else one for each state (A (H, P, N), the others (H, P)). A row has up to 4 kLanes kPieces states.
template <class M, class T, bool kTied, int kLanes, int kPieces>
class StateUpdate {
  static constexpr int kAtOnce = 8 / kPieces, kStates = 4 * kPieces;  // of a lane
  static constexpr int kTeams = 32 / kLanes;                          // rows that a warp reads at once

 public:
  static constexpr int kThreads = 128, kSharedBytes = 0;
  static constexpr int kRows = kThreads / kLanes * kAtOnce;  // of a block

  static BS_HOST_DEVICE int pieces(const UpdateJob& job) { return (job.head_dim + kRows - 1) / kRows; }
  static BS_HOST_DEVICE std::int64_t blocks(const UpdateJob& job) { return static_cast<std::int64_t>(job.batch) * job.heads * pieces(job); }

  BS_DEVICE explicit StateUpdate(const UpdateJob& job) : job_(job) {
    int block = M::block();
    first_ = block % pieces(job) * kRows + M::thread() / 32 * kTeams * kAtOnce + M::thread() % 32 / kLanes;
    block /= pieces(job);
    head_ = block % job.heads;
    entry_ = block / job.heads;
    slot_ = job.slots == nullptr ? entry_ : job.slots[entry_];
  }

  BS_DEVICE void run() {
    if (slot_ < 0) return clear();
    float h[kAtOnce][kStates], a[kAtOnce][kStates], y[kAtOnce] = {};
    BS_UNROLL
    for (int i = 0; i < kAtOnce; ++i) load(job_.h0, slot_, i, h[i]);
    BS_UNROLL
    for (int i = 0; i < kAtOnce; ++i)
      if constexpr (!kTied) load(job_.a, 0, i, a[i]);
    const std::int64_t mixer = (static_cast<std::int64_t>(entry_) * job_.groups + head_ / (job_.heads / job_.groups)) * job_.state;
    float b[kStates], c[kStates];
    BS_UNROLL
    for (int k = 0; k < kStates; ++k) {
      b[k] = place(k) < job_.state ? cuda::value<M>(static_cast<const T*>(job_.b)[mixer + place(k)]) : 0.0F;
      c[k] = place(k) < job_.state ? cuda::value<M>(static_cast<const T*>(job_.c)[mixer + place(k)]) : 0.0F;
    }
    const Step tied = kTied ? step_of(0) : Step{};
    BS_UNROLL
    for (int i = 0; i < kAtOnce; ++i)
      if (row(i) < job_.head_dim) y[i] = advance(i, kTied ? tied : step_of(i), a[i], b, c, h[i]);
    BS_UNROLL
    for (int i = 0; i < kAtOnce; ++i) store(i, h[i]);
    finish(y);
  }

 private:
  /// The i-th row of this lane's team; the teams of a warp have neighbouring rows.
  BS_DEVICE int row(int i) const { return first_ + i * kTeams; }
  /// Which of a row's states is this lane's k-th.
  BS_DEVICE static int place(int k) { return k / 4 * 4 * kLanes + M::thread() % kLanes * 4 + k % 4; }
  /// Of a (B or slots, H, P, N) tensor.
  BS_DEVICE std::int64_t state_row(int which, int i) const { return ((static_cast<std::int64_t>(which) * job_.heads + head_) * job_.head_dim + row(i)) * job_.state; }
  /// Of a (B, H, P) tensor; with B = 0 of (H, P).
  BS_DEVICE std::int64_t element(int entry, int i) const { return (static_cast<std::int64_t>(entry) * job_.heads + head_) * job_.head_dim + row(i); }
  /// Of dt (B, H, W); with B = 0 of (H, W).
  BS_DEVICE std::int64_t step(int entry, int i) const { return kTied ? static_cast<std::int64_t>(entry) * job_.heads + head_ : element(entry, i); }

  BS_DEVICE void load(const float* from, int which, int i, float (&x)[kStates]) const {
    BS_UNROLL
    for (int k = 0; k < kStates; ++k) x[k] = 0.0F;
    if (row(i) >= job_.head_dim) return;
    const float* const at = from + state_row(which, i);
    BS_UNROLL
    for (int piece = 0; piece < kPieces; ++piece) {
      const int n = place(4 * piece);
      if (job_.state % 4 == 0) {
        if (n >= job_.state) continue;
        const typename M::Words got = M::load16(at + n);
        BS_UNROLL
        for (int k = 0; k < 4; ++k) x[4 * piece + k] = M::number(got.word[k]);
      } else {
        BS_UNROLL
        for (int k = 0; k < 4; ++k)
          if (n + k < job_.state) x[4 * piece + k] = at[n + k];
      }
    }
  }

  BS_DEVICE void store(int i, const float (&x)[kStates]) const {
    if (row(i) >= job_.head_dim) return;
    float* const at = job_.h_last + state_row(entry_, i);
    BS_UNROLL
    for (int piece = 0; piece < kPieces; ++piece) {
      const int n = place(4 * piece);
      if (job_.state % 4 == 0) {
        if (n < job_.state) M::store16(at + n, {{M::word_of(x[4 * piece]), M::word_of(x[4 * piece + 1]), M::word_of(x[4 * piece + 2]), M::word_of(x[4 * piece + 3])}});
      } else {
        BS_UNROLL
        for (int k = 0; k < 4; ++k)
          if (n + k < job_.state) at[n + k] = x[4 * piece + k];
      }
    }
  }

  /// d of a row, and the decay that all states of a head share.
  struct Step {
    float d, decay;
  };
  BS_DEVICE Step step_of(int i) const {
    const float d = softplus<M>(cuda::value<M>(static_cast<const T*>(job_.dt)[step(entry_, i)]) + job_.bias[step(0, i)]);
    return {d, kTied ? M::exp2(d * kLog2E * job_.a[head_]) : 0.0F};
  }

  /// One row's states; this lane's part of sum_n C h.
  BS_DEVICE float advance(int i, Step now, const float (&a)[kStates], const float (&b)[kStates], const float (&c)[kStates], float (&h)[kStates]) const {
    const float x = now.d * cuda::value<M>(static_cast<const T*>(job_.x)[element(entry_, i)]);
    float y = 0.0F;
    BS_UNROLL
    for (int k = 0; k < kStates; ++k) {
      h[k] = (kTied ? now.decay : M::exp2(now.d * kLog2E * a[k])) * h[k] + x * b[k];
      y += c[k] * h[k];
    }
    return y;
  }

  BS_DEVICE void finish(float (&y)[kAtOnce]) const {
    const int owned = cuda::sum_across<M, kAtOnce, kLanes, 1>(y);
    BS_UNROLL
    for (int j = 0; j < cuda::kSumsKept<kAtOnce, kLanes>; ++j) {
      if (row(owned + j) >= job_.head_dim) continue;
      const std::int64_t at = element(entry_, owned + j);
      const float x = cuda::value<M>(static_cast<const T*>(job_.x)[at]), z = cuda::value<M>(static_cast<const T*>(job_.z)[at]);
      static_cast<T*>(job_.out)[at] = M::template round<T>((y[j] + job_.skip[step(0, owned + j)] * x) * (z * sigmoid<M>(z)));
    }
  }

  /// An entry that is padding.
  BS_DEVICE void clear() const {
    const float none[kStates] = {};
    for (int i = 0; i < kAtOnce; ++i) {
      store(i, none);
      if (row(i) < job_.head_dim) static_cast<T*>(job_.out)[element(entry_, i)] = T{};
    }
  }

  UpdateJob job_;
  int entry_, head_, slot_, first_;
};

}  // namespace bench::scan
