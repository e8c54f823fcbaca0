// SPDX-License-Identifier: Apache-2.0
// naive_bwd_cuda: attention's backward pass with all scores written out: five products and one launch over the rows between them.
//
// q dout (B, H, L, D), k v (B, Hkv, L, D), and out, lse of a forward pass (naive_cuda's, made in prepare) -> dq (B, H, L, D), dk dv (B, Hkv, L, D) in fp32, bf16 or
// fp16. Formulas and bodies: naive_backward.hpp; products: this project's own.
//
// Work: 10 D flops a pair, whether it is visible or not. Bytes: 20 a pair for 16-bit tensors (S and dP in fp32 and P and dS in 16 bits, written and read; P and dS^T are
// read once, dS twice), which binds it. Memory: B H L^2 of 12 bytes (8 in fp32). Error against fp64: weights and their gradients are rounded to 16 bits before the products
// that follow. Bits do not depend on the order of blocks: nobody adds to what another one writes.
//
// Right choice: none but as a baseline, and where tensors are fp32. Precondition: D a multiple of 8 for 16-bit tensors.
#include "kernels/attention/naive_backward.hpp"
#include "kernels/attention/naive_launch.cuh"

namespace bench::attention {
namespace {

using cuda::GemmBody;
using cuda::GemmForm;

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) naive_softmax_backward(const __grid_constant__ NaiveBackwardJob job) {
  Body(job).run();
}

class OnDevice final : public DeviceTensors {
 public:
  OnDevice(const AttentionProblem& p, Tensors& tensors)
      : DeviceTensors(tensors, {"dq", "dk", "dv"}),
        key_lengths_(to_device(std::vector<std::int32_t>(p.key_lengths.begin(), p.key_lengths.end()))),
        out_(p.batch * p.heads * p.seq * p.head_dim * size_of(p.dtype)),
        lse_(p.batch * p.heads * p.seq * 4) {
    const std::int64_t count = p.batch * p.heads * p.seq * score_pitch(p.seq);
    const bool in_place = p.dtype == DType::f32;
    scores_ = device::DeviceBuffer(count * 4);
    dweights_ = device::DeviceBuffer(count * 4);
    weights_ = device::DeviceBuffer(in_place ? 0 : count * 2);
    dscores_ = device::DeviceBuffer(in_place ? 0 : count * 2);
    DeviceJob attention = device_job(p);
    attention.q = data("q");
    attention.k = data("k");
    attention.v = data("v");
    attention.out = out_.data();
    attention.lse = reinterpret_cast<float*>(lse_.data());
    attention.key_lengths = reinterpret_cast<const std::int32_t*>(key_lengths_.data());
    job_.forward = {attention, reinterpret_cast<float*>(scores_.data()), in_place ? scores_.data() : weights_.data(), static_cast<int>(score_pitch(p.seq))};
    job_.dout = data("dout");
    job_.dweights = reinterpret_cast<float*>(dweights_.data());
    job_.dscores = in_place ? dweights_.data() : dscores_.data();
    job_.dq = data("dq");
    job_.dk = data("dk");
    job_.dv = data("dv");
    job_.scale = static_cast<float>(p.scale());
  }
  const NaiveBackwardJob& job() const { return job_; }

 private:
  device::DeviceBuffer key_lengths_, out_, lse_, scores_, dweights_, weights_, dscores_;
  NaiveBackwardJob job_{};
};

/// Calls f with the bodies of a product with columns of scores, with one of D columns, and with that of transposed rows.
template <class T, class F>
void with_bodies(const NaiveBackwardJob& job, F&& f) {
  using Scores = GemmBody<T, float, GemmForm::nt, 128>;
  if (job.forward.attention.head_dim <= 64) return f.template operator()<Scores, GemmBody<T, T, GemmForm::nn, 64>, GemmBody<T, T, GemmForm::tn, 64>>();
  f.template operator()<Scores, GemmBody<T, T, GemmForm::nn, 128>, GemmBody<T, T, GemmForm::tn, 128>>();
}

template <class T>
void launch_rows(const NaiveBackwardJob& job, cudaStream_t stream) {
  const auto launch = [&]<class Body>() {
    naive_softmax_backward<Body><<<Body::blocks(job), Body::kThreads, 0, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  };
  if (job.forward.attention.seq <= kLongestWarpRow) return launch.template operator()<NaiveSoftmaxBackward<cuda::Machine, T, 32>>();
  launch.template operator()<NaiveSoftmaxBackward<cuda::Machine, T, 256>>();
}

/// out and lse, as a forward pass leaves them.
template <class T, class Scores, class Output>
void save_naive_forward(const NaiveJob& job, cudaStream_t stream) {
  cuda::launch_gemm<Scores>(scores_product(job), stream);
  launch_softmax<T, false>(job, stream);
  cuda::launch_gemm<Output>(output_product(job), stream);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  auto ours = std::make_unique<OnDevice>(p, tensors);
  with_type(p, [&]<class T>() {
    with_bodies<T>(ours->job(), [&]<class Scores, class Output, class Keys>() {
      cuda::prepare_gemm<Scores>();
      cuda::prepare_gemm<Output>();
      cuda::prepare_gemm<Keys>();
      save_naive_forward<T, Scores, Output>(ours->job().forward, static_cast<cudaStream_t>(context.stream));
    });
  });
  return ours;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const NaiveBackwardJob& job = static_cast<const OnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_type(problem_as<AttentionProblem>(problem), [&]<class T>() {
    with_bodies<T>(job, [&]<class Scores, class Output, class Keys>() {
      cuda::launch_gemm<Scores>(scores_product(job.forward), stream);
      cuda::launch_gemm<Scores>(dweights_product(job), stream);
      launch_rows<T>(job, stream);
      cuda::launch_gemm<Keys>(dv_product(job), stream);
      cuda::launch_gemm<Output>(dq_product(job), stream);
      cuda::launch_gemm<Keys>(dk_product(job), stream);
    });
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/naive_bwd_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward with scores written out: five own products and one launch over the rows",
    .supports = naive_supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
