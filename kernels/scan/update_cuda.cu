// SPDX-License-Identifier: Apache-2.0
// update_cuda: one token's state update on a GPU, states read and written once in 16-byte pieces.
//
// x z (B, H, P), dt (B, H, W), B C (B, G, N), A (H, W, M), D dt_bias (H, W), h0 (B or slots, H, P, N) -> out (B, H, P) in fp32, bf16 or fp16, h_last
// (B, H, P, N) in fp32. Formulas: update.hpp. Algorithm: update_body.hpp: part of a warp a row, several rows of it on their way at a time; tied
// problems (W = M = 1) take one exponential a head and block, untied ones one a state.
//
// Work: 5 flops a state (6 untied). Bytes: the states once in and once out, which is what binds it; of a cache only the slots that entries have. Error against
// fp64: two ulp of the exponential and the output's rounding. Bits do not depend on the batch, the device or chance.
//
// Right choice: always, from a few MB of states on; below, the launch is all the time there is (graph: true). Preconditions: N <= 256; rows of N that
// are no multiple of four go state by state.
#include "kernels/scan/update_body.hpp"

#include <cuda_runtime.h>

#include "kernels/cuda/machine.cuh"
#include "kernels/device_tensors_cuda.hpp"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) state_update(const __grid_constant__ UpdateJob job) {
  Body(job).run();
}

class OnDevice final : public DeviceTensors {
 public:
  OnDevice(const UpdateProblem& p, Tensors& tensors) : DeviceTensors(tensors, {"out", "h_last"}), slots_(to_device(p.state_batch_indices)), job_(update_job(p)) {
    const auto numbers = [&](const char* name) { return reinterpret_cast<float*>(data(name)); };
    job_.x = data("x");
    job_.dt = data("dt");
    job_.b = data("B");
    job_.c = data("C");
    job_.z = data("z");
    job_.a = numbers("A");
    job_.skip = numbers("D");
    job_.bias = numbers("dt_bias");
    job_.h0 = numbers("h0");
    job_.slots = reinterpret_cast<const std::int32_t*>(slots_.data());
    job_.out = data("out");
    job_.h_last = numbers("h_last");
  }
  const UpdateJob& job() const { return job_; }

 private:
  device::DeviceBuffer slots_;
  UpdateJob job_;
};

/// Lanes a row: as many as it has 16-byte pieces.
template <class T, bool kTied>
void launch(const UpdateJob& job, cudaStream_t stream) {
  const auto with = [&]<int kLanes, int kPieces>() {
    using Body = StateUpdate<cuda::Machine, T, kTied, kLanes, kPieces>;
    state_update<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, 0, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  };
  if (job.state <= 16) return with.template operator()<4, 1>();
  if (job.state <= 64) return with.template operator()<16, 1>();
  if (job.state <= 128) return with.template operator()<32, 1>();
  with.template operator()<32, 2>();
}

template <class T>
void launch(const UpdateProblem& p, const UpdateJob& job, cudaStream_t stream) {
  p.tied ? launch<T, true>(job, stream) : launch<T, false>(job, stream);
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  if (p.state > 256) return concat("state = ", p.state, ": this kernel takes up to 256");
  return {};
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return std::make_unique<OnDevice>(problem_as<UpdateProblem>(problem), tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const UpdateJob& job = static_cast<const OnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  if (p.dtype == DType::f32) return launch<float>(p, job, stream);
  if (p.dtype == DType::bf16) return launch<Bf16>(p, job, stream);
  launch<F16>(p, job, stream);
}

const Registrar<Kernel> registrar{{
    .name = "scan/update_cuda",
    .op = "ssm_update",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "states once in and out by 16 bytes a lane; one decay a head where they are tied",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
