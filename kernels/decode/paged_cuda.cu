// SPDX-License-Identifier: Apache-2.0
// paged_cuda: decode attention over a paged cache on a GPU, split over the tokens.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D), pages wherever they lie -> out (B, H, D) in bf16 or fp16, lse (B, H) in fp32.
// Algorithm: Flash-Decoding (Dao et al. 2023): blocks take spans of a sequence's tokens, a second launch merges their states. One span's work:
// paged_body.hpp; how many spans: paged_split.hpp.
//
// Bytes: K and V once, which is what binds it; a state of D + 1 words a span and query head, written and read once. Work: 4 D flops and one
// exponential a query head and token, on the ordinary lanes: one query row would fill a sixteenth of a tensor core's tile. Error against
// fp64: the rounding of the output; weights are not rounded. Bits depend on the number of splits, hence on the device, but not on chance.
//
// Right choice: up to some eight query heads a key/value head; beyond, the lanes' arithmetic takes longer than reading. Preconditions: D <= 256, a multiple of 8;
// a page of 2^n tokens.
#include <cuda_runtime.h>

#include <bit>
#include <memory>

#include "kernels/cuda/machine.cuh"
#include "kernels/decode/paged_body.hpp"
#include "kernels/device_tensors_cuda.hpp"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::decode {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) paged_split(const __grid_constant__ PagedJob job) {
  Body(job).run();
}
template <class Body>
__global__ void __launch_bounds__(Body::kThreads) paged_merge(const __grid_constant__ PagedJob job) {
  Body::run(job);
}

constexpr int kMostGroup = 8;  // query heads a block

/// Calls f with the body for this problem's element type, head dimension and group.
template <class T, int kDim, class F>
void of_group(const DecodeProblem& p, F&& f) {
  if (p.group() == 1) return f.template operator()<T, PagedSplit<cuda::Machine, T, kDim, 1>>();
  if (p.group() <= 4) return f.template operator()<T, PagedSplit<cuda::Machine, T, kDim, 4>>();
  f.template operator()<T, PagedSplit<cuda::Machine, T, kDim, kMostGroup>>();
}
template <class T, class F>
void of_dim(const DecodeProblem& p, F&& f) {
  if (p.head_dim <= 64) return of_group<T, 64>(p, f);
  if (p.head_dim <= 128) return of_group<T, 128>(p, f);
  of_group<T, 256>(p, f);
}
template <class F>
void with_body(const DecodeProblem& p, F&& f) {
  if (p.dtype == DType::bf16) return of_dim<Bf16>(p, f);
  of_dim<F16>(p, f);
}

/// Blocks that the current device runs at once.
template <class Body>
std::int64_t slots() {
  BS_CUDA(cudaFuncSetAttribute(paged_split<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, Body::kSharedBytes));
  int each = 0;
  BS_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, paged_split<Body>, Body::kThreads, Body::kSharedBytes));
  return each * device::properties(device::current()).sm_count;
}

class OnDevice final : public DeviceTensors {
 public:
  OnDevice(const DecodeProblem& p, Tensors& tensors)
      : DeviceTensors(tensors, {"out", "lse"}), table_(to_device(block_table(p))) {
    const auto lengths = sequence_lengths(p);
    lengths_ = to_device(std::vector<std::int32_t>(lengths.begin(), lengths.end()));
    SplitPlan plan;
    with_body(p, [&]<class T, class Body>() {
      plan = plan_splits(p.batch * p.kv_heads * ceil_div(p.group(), kMostGroup), p.seq, slots<Body>());
    });
    part_out_ = device::DeviceBuffer(plan.splits > 1 ? p.batch * p.heads * plan.splits * p.head_dim * 4 : 0);
    part_lse_ = device::DeviceBuffer(plan.splits > 1 ? p.batch * p.heads * plan.splits * 4 : 0);
    job_ = paged_job(p, plan);
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

std::string supports(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  if (const std::string reason = needs_whole_chunks(p.head_dim, 256); !reason.empty()) return reason;
  if (!std::has_single_bit(static_cast<std::uint64_t>(p.page))) return concat("page = ", p.page, ": this kernel takes powers of two");
  return {};
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return std::make_unique<OnDevice>(problem_as<DecodeProblem>(problem), tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const PagedJob& job = static_cast<const OnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_body(problem_as<DecodeProblem>(problem), [&]<class T, class Body>() {
    paged_split<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
    if (job.splits == 1) return;
    using Merge = PagedMerge<cuda::Machine, T>;
    paged_merge<Merge><<<job.batch * job.heads, Merge::kThreads, 0, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  });
}

const Registrar<Kernel> registrar{{
    .name = "decode/paged_cuda",
    .op = "decode",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "one span of tokens a block, rows read once in 16-byte pieces, spans merged by a second launch",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::decode
