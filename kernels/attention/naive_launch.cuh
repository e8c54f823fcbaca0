// SPDX-License-Identifier: Apache-2.0
// Launches of naive attention's three kernels, of both variants: all tiles, or those in which a row sees a key.
#pragma once

#include "kernels/attention/naive_on_device_cuda.hpp"
#include "kernels/attention/naive_softmax.hpp"
#include "kernels/cuda/gemm_launch.cuh"

namespace bench::attention {

inline constexpr int kLongestWarpRow = 2048;  // keys; beyond, a row has a block

/// Calls f with the tensors' type.
template <class F>
void with_type(const AttentionProblem& p, F&& f) {
  if (p.dtype == DType::bf16) return f.template operator()<Bf16>();
  if (p.dtype == DType::f16) return f.template operator()<F16>();
  f.template operator()<float>();
}

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 512 / Body::kThreads) naive_softmax(const __grid_constant__ NaiveJob job) {
  Body(job).run();
}

template <class Body>
void launch_softmax_body(const NaiveJob& job, cudaStream_t stream) {
  naive_softmax<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}
template <class T, bool kSkip>
void launch_softmax(const NaiveJob& job, cudaStream_t stream) {
  if (job.attention.seq <= kLongestWarpRow) return launch_softmax_body<NaiveSoftmax<cuda::Machine, T, 32, kSkip>>(job, stream);
  launch_softmax_body<NaiveSoftmax<cuda::Machine, T, 256, kSkip>>(job, stream);
}

/// Calls f with the bodies of S = Q K^T and O = P V.
template <class T, class ScoreTiles, class WeightTiles, class F>
void with_products(const NaiveJob& job, F&& f) {
  using Scores = cuda::GemmBody<T, float, cuda::GemmForm::nt, 128, ScoreTiles>;
  if (job.attention.head_dim <= 64) return f.template operator()<Scores, cuda::GemmBody<T, T, cuda::GemmForm::nn, 64, WeightTiles>>();
  f.template operator()<Scores, cuda::GemmBody<T, T, cuda::GemmForm::nn, 128, WeightTiles>>();
}

template <class ScoreTiles, class WeightTiles>
std::unique_ptr<Prepared> naive_prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  auto ours = std::make_unique<NaiveOnDevice>(p, tensors);
  with_type(p, [&]<class T>() {
    with_products<T, ScoreTiles, WeightTiles>(ours->naive(), [&]<class Scores, class Output>() {
      cuda::prepare_gemm<Scores, ScoreTiles>();
      cuda::prepare_gemm<Output, WeightTiles>();
    });
  });
  return ours;
}

template <bool kSkip, class ScoreTiles, class WeightTiles>
void naive_run(const Problem& problem, Context& context, const ScoreTiles& score_tiles, const WeightTiles& weight_tiles) {
  const NaiveJob& job = static_cast<const NaiveOnDevice&>(*context.prepared).naive();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_type(problem_as<AttentionProblem>(problem), [&]<class T>() {
    with_products<T, ScoreTiles, WeightTiles>(job, [&]<class Scores, class Output>() {
      cuda::launch_gemm<Scores>(scores_product(job), stream, score_tiles);
      launch_softmax<T, kSkip>(job, stream);
      cuda::launch_gemm<Output>(output_product(job), stream, weight_tiles);
    });
  });
}

}  // namespace bench::attention
