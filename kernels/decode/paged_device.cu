// SPDX-License-Identifier: Apache-2.0
#include "kernels/decode/paged_device.hpp"

#include <cuda_runtime.h>

#include <bit>

#include "kernels/cuda/machine.cuh"
#include "kernels/decode/paged_merge.hpp"
#include "kernels/device_tensors_cuda.hpp"
#include "src/device/check.hpp"

namespace bench::decode {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) paged_merge(const __grid_constant__ PagedJob job) {
  Body::run(job);
}

template <class T>
void merge(const PagedJob& job, cudaStream_t stream) {
  using Body = PagedMerge<cuda::Machine, T>;
  paged_merge<Body><<<job.batch * job.heads, Body::kThreads, 0, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

class OnDevice final : public DeviceTensors {
 public:
  OnDevice(const DecodeProblem& p, Tensors& tensors, const SplitPlan& plan)
      : DeviceTensors(tensors, {"out", "lse"}),
        table_(to_device(block_table(p))),
        part_out_(plan.splits > 1 ? p.batch * p.heads * plan.splits * p.head_dim * 4 : 0),
        part_lse_(plan.splits > 1 ? p.batch * p.heads * plan.splits * 4 : 0),
        job_(paged_job(p, plan)) {
    const auto lengths = sequence_lengths(p);
    lengths_ = to_device(std::vector<std::int32_t>(lengths.begin(), lengths.end()));
    job_.q = data("q");
    job_.k = data("k_cache");
    job_.v = data("v_cache");
    job_.out = data("out");
    job_.lse = reinterpret_cast<float*>(data("lse"));
    job_.table = reinterpret_cast<const std::int32_t*>(table_.data());
    job_.lengths = reinterpret_cast<const std::int32_t*>(lengths_.data());
    job_.part_out = reinterpret_cast<float*>(part_out_.data());
    job_.part_lse = reinterpret_cast<float*>(part_lse_.data());
  }
  const PagedJob& job() const { return job_; }

 private:
  device::DeviceBuffer table_, lengths_, part_out_, part_lse_;
  PagedJob job_;
};

}  // namespace

std::string takes_pages(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  if (const std::string reason = needs_whole_chunks(p.head_dim, 256); !reason.empty()) return reason;
  if (!std::has_single_bit(static_cast<std::uint64_t>(p.page)) || p.page < kSmallestPage)
    return concat("page = ", p.page, ": this kernel takes powers of two from ", kSmallestPage, " on");
  return {};
}

std::unique_ptr<Prepared> prepare_paged(const SpanReader& reader, Cut cut, const Problem& problem, Tensors& tensors) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const std::int64_t blocks = p.batch * p.kv_heads * ceil_div(p.group(), reader.heads_a_block(p)), slots = reader.slots(p);
  return std::make_unique<OnDevice>(p, tensors, cut == Cut::fixed ? fixed_splits(p.seq) : plan_splits(blocks, p.seq, slots));
}

void run_paged(const SpanReader& reader, const Problem& problem, const Context& context) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const PagedJob& job = static_cast<const OnDevice&>(*context.prepared).job();
  reader.launch(p, job, context.stream);
  if (job.splits == 1) return;
  const auto stream = static_cast<cudaStream_t>(context.stream);
  if (p.dtype == DType::f32) return merge<float>(job, stream);
  if (p.dtype == DType::bf16) return merge<Bf16>(job, stream);
  merge<F16>(job, stream);
}

}  // namespace bench::decode
