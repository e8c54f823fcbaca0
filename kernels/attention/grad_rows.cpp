// SPDX-License-Identifier: Apache-2.0
// The query side of the backward pass: from a rank's tensors to the layouts that blocks read, and from the
// sums of dQ back to a tensor.
#include <algorithm>

#include "kernels/attention/grad_share.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/transpose.hpp"
#include "src/core/dtype.hpp"

namespace bench::attention {
namespace {

/// (rows, D) -> (rows, grad_row_stride(D)), in Real; zeros up to whole vectors.
template <class T>
void pack_rows(const T* from, std::int64_t rows, std::int64_t head_dim, RealOf<T>* to) {
  const std::int64_t padded = round_up(head_dim, kMaxLanes);
  for (std::int64_t r = 0; r < rows; ++r, from += head_dim, to += grad_row_stride(head_dim)) {
    for (std::int64_t d = 0; d < head_dim; ++d) to[d] = static_cast<RealOf<T>>(load(from[d]));
    std::fill(to + head_dim, to + padded, RealOf<T>{0});
  }
}

/// delta = dout . out of `rows` rows of one head, in Real.
template <class T>
void head_deltas(const T* dout, const T* out, std::int64_t rows, std::int64_t head_dim, RealOf<T>* delta) {
  for (std::int64_t r = 0; r < rows; ++r) {
    RealOf<T> sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t d = r * head_dim; d < (r + 1) * head_dim; ++d)
      sum += static_cast<RealOf<T>>(load(dout[d]) * load(out[d]));
    delta[r] = sum;
  }
}

}  // namespace

template <class T>
void row_deltas(const GradShape& shape, const T* dout, const T* out, RealOf<T>* delta) {
  const std::int64_t head = shape.rows * shape.head_dim;
#pragma omp parallel for num_threads(static_cast <int>(shape.threads))
  for (std::int64_t h = 0; h < shape.heads; ++h)
    head_deltas(dout + h * head, out + h * head, shape.rows, shape.head_dim, delta + h * shape.rows);
}

template <class T>
void begin_rows(const GradWorkspace<RealOf<T>>& work, const GradShape& shape, const GradRows<T>& rows) {
  using Real = RealOf<T>;
  const std::int64_t strip = work.engine->rows, width = shape.head_dim;
  const std::int64_t padded = round_up(width, kMaxLanes);
#pragma omp parallel for num_threads(static_cast <int>(shape.threads))
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    const std::int64_t from = head * shape.rows, to = head * work.row_stride;
    const T *q = rows.q + from * width, *dout = rows.dout + from * width;
    pack_queries(q, shape.rows, width, strip, shape.scale * kLog2E, work.q + to * width);
    pack_queries(dout, shape.rows, width, strip, 1.0, work.dout + to * width);
    pack_rows(q, shape.rows, width, work.q_rows + to * grad_row_stride(width));
    pack_rows(dout, shape.rows, width, work.dout_rows + to * grad_row_stride(width));
    if (rows.delta != nullptr) std::copy_n(rows.delta + from, shape.rows, work.delta + to);
    if (rows.delta == nullptr) head_deltas(dout, rows.out + from * width, shape.rows, width, work.delta + to);
    for (std::int64_t r = 0; r < shape.rows; ++r)
      work.lse[to + r] = rows.lse[from + r] * static_cast<Real>(kLog2E);
    // Rows that pad the last strip: finite, and never read as anybody's result.
    std::fill_n(work.lse + to + shape.rows, work.row_stride - shape.rows, Real{0});
    std::fill_n(work.delta + to + shape.rows, work.row_stride - shape.rows, Real{0});
    std::fill_n(work.dq + to * padded, work.row_stride * padded, Real{0});
  }
}

template <class T>
void finish_dq(const GradWorkspace<RealOf<T>>& work, const GradShape& shape, T* dq) {
  const std::int64_t strip = work.engine->rows, width = shape.head_dim, strips = ceil_div(shape.rows, strip);
  const std::int64_t padded = round_up(width, kMaxLanes);
  const auto scale = static_cast<RealOf<T>>(shape.scale);
#pragma omp parallel for num_threads(static_cast <int>(shape.threads))
  for (std::int64_t i = 0; i < shape.heads * strips; ++i) {
    const std::int64_t head = i / strips, first = i % strips * strip;
    transpose(work.dq + (head * work.row_stride + first) * padded, strip, width,
              std::min(strip, shape.rows - first), &scale, 0, dq + (head * shape.rows + first) * width,
              width);
  }
}

#define BS_INSTANTIATE(T)                                                                          \
  template void row_deltas(const GradShape&, const T*, const T*, RealOf<T>*);                      \
  template void begin_rows(const GradWorkspace<RealOf<T>>&, const GradShape&, const GradRows<T>&); \
  template void finish_dq(const GradWorkspace<RealOf<T>>&, const GradShape&, T*)
BS_INSTANTIATE(double);
BS_INSTANTIATE(float);
BS_INSTANTIATE(Bf16);
BS_INSTANTIATE(F16);
#undef BS_INSTANTIATE

}  // namespace bench::attention
