// SPDX-License-Identifier: Apache-2.0
// Blocks of keys and rows as tasks for threads. Packing the rows and writing dQ: grad_rows.cpp.
#include "kernels/attention/grad_share.hpp"

#include <omp.h>

#include <algorithm>

#include "src/core/dtype.hpp"

namespace bench::attention {
namespace {

/// One thread's block in flight.
template <class Real>
struct Scratch {
  Real* weights = nullptr;
  Real* grads = nullptr;
  Real* dk = nullptr;  // (kGradKeyBlock, padded D)
  Real* dv = nullptr;
  std::int64_t* visible = nullptr;
  std::int64_t* hidden = nullptr;

  static Scratch carve(Carver& carver, std::int64_t head_dim) {
    const std::int64_t padded = round_up(head_dim, kMaxLanes);
    Scratch scratch;
    scratch.weights = carver.take<Real>(kGradKeyBlock * kGradRowBlock);
    scratch.grads = carver.take<Real>(kGradKeyBlock * kGradRowBlock);
    scratch.dk = carver.take<Real>(kGradKeyBlock * padded);
    scratch.dv = carver.take<Real>(kGradKeyBlock * padded);
    scratch.visible = carver.take<std::int64_t>(kGradRowBlock);
    scratch.hidden = carver.take<std::int64_t>(kGradRowBlock);
    return scratch;
  }
};

/// Everything that the tasks of one share have in common.
template <class T>
struct Pass {
  using Real = RealOf<T>;
  const GradWorkspace<Real>& work;
  const GradShape& shape;
  const T *k, *v;
  std::int64_t keys;
  Link* link;

  std::int64_t padded() const { return round_up(shape.head_dim, kMaxLanes); }
  std::int64_t row_blocks() const { return (shape.rows + kGradRowBlock - 1) / kGradRowBlock; }
  std::int64_t key_blocks() const { return (keys + kGradKeyBlock - 1) / kGradKeyBlock; }
  /// Whether rounds of whole heads, five products each, end before seven products spread evenly.
  bool heads_fill_threads() const {
    const std::int64_t rounds = (shape.kv_heads + shape.threads - 1) / shape.threads;
    return 5 * rounds * shape.threads <= 7 * shape.kv_heads;
  }
};

/// Which gradients a task adds to: dK and dV in its scratch, dQ in the workspace, or both.
struct Wanted {
  bool keys, queries;
};

/// Counts of keys of a whole share, as counts within the block that starts at `key`.
void clip(const std::int64_t* counts, std::int64_t rows, std::int64_t key, std::int64_t* clipped) {
  for (std::int64_t r = 0; r < rows; ++r)
    clipped[r] = std::clamp(counts[r] - key, std::int64_t{0}, kGradKeyBlock);
}

/// Rows from `row` on of `head` against keys from `key` on; both begin a block.
template <class T>
void add_block(const Pass<T>& pass, const Scratch<RealOf<T>>& scratch, std::int64_t head, std::int64_t row,
               std::int64_t key, Wanted wanted) {
  using Real = RealOf<T>;
  const auto& work = pass.work;
  const std::int64_t rows = std::min(kGradRowBlock, pass.shape.rows - row), width = pass.shape.head_dim;
  const std::int64_t padded_rows = round_up(rows, work.engine->rows), padded = pass.padded();
  const std::int64_t mask = head / (pass.shape.heads / pass.shape.sequences) * work.row_stride + row;
  const std::int64_t* const hidden = work.hidden != nullptr ? work.hidden + mask : nullptr;
  const std::int64_t begin = hidden != nullptr ? std::max(hidden[0], key) : key;
  if (begin >= std::min(work.visible[mask + rows - 1], key + kGradKeyBlock)) return;
  clip(work.visible + mask, padded_rows, key, scratch.visible);
  if (hidden != nullptr) clip(hidden, padded_rows, key, scratch.hidden);
  const std::int64_t kv = head / pass.shape.group(), at = head * work.row_stride + row;
  const KvRows<Real> all = head_rows<T>(work.keys, pass.k, pass.v, kv, pass.keys, width, false);
  work.engine->add_block({.rows = rows,
                          .head_dim = width,
                          .padded_dim = padded,
                          .q = work.q + at * width,
                          .dout = work.dout + at * width,
                          .q_rows = work.q_rows + at * grad_row_stride(width),
                          .dout_rows = work.dout_rows + at * grad_row_stride(width),
                          .lse = work.lse + at,
                          .delta = work.delta + at,
                          .visible = scratch.visible,
                          .hidden = hidden != nullptr ? scratch.hidden : nullptr,
                          .k = all.k + key * all.k_stride,
                          .v = all.v + key * all.v_stride,
                          .k_stride = all.k_stride,
                          .v_stride = all.v_stride,
                          .softcap = static_cast<Real>(pass.shape.softcap),
                          .dq = wanted.queries ? work.dq + at * padded : nullptr,
                          .dk = wanted.keys ? scratch.dk : nullptr,
                          .dv = wanted.keys ? scratch.dv : nullptr,
                          .weights = scratch.weights,
                          .grads = scratch.grads});
}

/// A block of keys of one key/value head against all rows of its query heads.
template <class T, class Out>
void keys_task(const Pass<T>& pass, const Scratch<RealOf<T>>& scratch, std::int64_t kv, std::int64_t key,
               bool queries_too, Out* dk, Out* dv) {
  using Real = RealOf<T>;
  const std::int64_t padded = pass.padded(), width = pass.shape.head_dim, group = pass.shape.group();
  std::fill_n(scratch.dk, kGradKeyBlock * padded, Real{0});
  std::fill_n(scratch.dv, kGradKeyBlock * padded, Real{0});
  for (std::int64_t head = kv * group; head < (kv + 1) * group; ++head) {
    for (std::int64_t i = 0; i < pass.row_blocks(); ++i)
      add_block(pass, scratch, head, i * kGradRowBlock, key, {.keys = true, .queries = queries_too});
    if (pass.link != nullptr && omp_get_thread_num() == 0)
      pass.link->progress();  // the link belongs to the thread that entered run
  }
  const std::int64_t count = std::min(kGradKeyBlock, pass.keys - key);
  const std::int64_t to = (kv * pass.keys + key) * width;
  const Real scale = static_cast<Real>(pass.shape.scale);
  for (std::int64_t j = 0; j < count; ++j)
    for (std::int64_t d = 0; d < width; ++d) {
      dk[to + j * width + d] = store<Out>(scratch.dk[j * padded + d] * scale);
      dv[to + j * width + d] = store<Out>(scratch.dv[j * padded + d]);
    }
}

/// A block of rows of one head against all keys, for dQ alone.
template <class T>
void queries_task(const Pass<T>& pass, const Scratch<RealOf<T>>& scratch, std::int64_t head,
                  std::int64_t row) {
  for (std::int64_t j = 0; j < pass.key_blocks(); ++j)
    add_block(pass, scratch, head, row, j * kGradKeyBlock, {.keys = false, .queries = true});
  if (pass.link != nullptr && omp_get_thread_num() == 0) pass.link->progress();
}

}  // namespace

template <class Real>
GradWorkspace<Real> GradWorkspace<Real>::carve(Carver& carver, const GradShape& shape, std::int64_t keys,
                                               bool in_place) {
  const std::int64_t padded = round_up(shape.head_dim, kMaxLanes);
  GradWorkspace work;
  work.row_stride = round_up(shape.rows, kStripMultiple);
  const std::int64_t rows = shape.heads * work.row_stride;
  work.q = carver.take<Real>(rows * shape.head_dim);
  work.dout = carver.take<Real>(rows * shape.head_dim);
  work.q_rows = carver.take<Real>(rows * grad_row_stride(shape.head_dim));
  work.dout_rows = carver.take<Real>(rows * grad_row_stride(shape.head_dim));
  work.lse = carver.take<Real>(rows);
  work.delta = carver.take<Real>(rows);
  work.dq = carver.take<Real>(rows * padded);
  work.keys = PackedShare<Real>::carve(carver, shape.kv_heads, keys, shape.head_dim, in_place);
  work.visible = carver.take<std::int64_t>(shape.sequences * work.row_stride);
  if (shape.hides_first_keys) work.hidden = carver.take<std::int64_t>(shape.sequences * work.row_stride);
  Carver piece;
  Scratch<Real>::carve(piece, shape.head_dim);
  work.scratch = carver.take_slices(shape.threads, piece);
  return work;
}

template <class T, class Out>
void add_share(const GradWorkspace<RealOf<T>>& work, const GradShape& shape, const T* k, const T* v,
               std::int64_t keys, Out* dk, Out* dv, Link* link) {
  const Pass<T> pass{work, shape, k, v, keys, link};
#pragma omp parallel num_threads(static_cast <int>(shape.threads))
  {
    Carver own(work.scratch[omp_get_thread_num()]);
    const auto scratch = Scratch<RealOf<T>>::carve(own, shape.head_dim);
    pack_share<T>(work.keys, k, v, shape.kv_heads, keys, shape.head_dim, false);
    if (pass.heads_fill_threads()) {
#pragma omp for schedule(dynamic)
      for (std::int64_t kv = 0; kv < shape.kv_heads; ++kv)
        for (std::int64_t j = 0; j < pass.key_blocks(); ++j)
          keys_task(pass, scratch, kv, j * kGradKeyBlock, true, dk, dv);
    } else {
#pragma omp for schedule(dynamic) nowait
      for (std::int64_t i = 0; i < shape.kv_heads * pass.key_blocks(); ++i)
        keys_task(pass, scratch, i / pass.key_blocks(), i % pass.key_blocks() * kGradKeyBlock, false, dk, dv);
        // The longest causal rows first, so that the last ones to be handed out are short.
#pragma omp for schedule(dynamic)
      for (std::int64_t i = 0; i < shape.heads * pass.row_blocks(); ++i)
        queries_task(pass, scratch, i / pass.row_blocks(),
                     (pass.row_blocks() - 1 - i % pass.row_blocks()) * kGradRowBlock);
    }
  }
}

template struct GradWorkspace<float>;
template struct GradWorkspace<double>;

#define BS_INSTANTIATE(T, Out)                                                                   \
  template void add_share(const GradWorkspace<RealOf<T>>&, const GradShape&, const T*, const T*, \
                          std::int64_t, Out*, Out*, Link*)
BS_INSTANTIATE(double, double);
BS_INSTANTIATE(float, float);
BS_INSTANTIATE(Bf16, Bf16);
BS_INSTANTIATE(Bf16, float);
BS_INSTANTIATE(F16, F16);
BS_INSTANTIATE(F16, float);
#undef BS_INSTANTIATE

}  // namespace bench::attention
