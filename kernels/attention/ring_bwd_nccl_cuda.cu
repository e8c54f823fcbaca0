// SPDX-License-Identifier: Apache-2.0
// ring_bwd_nccl_cuda: backward ring attention between devices: every rank keeps its query rows and sums their dQ, blocks of keys and values go round, and
// the sums of dK and dV travel with their block.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D), and the forward pass's out and lse -> dq (B, H, n, D), dk dv (B, Hkv, n, D) in bf16 or
// fp16. Algorithm: Liu, Zaharia, Abbeel 2023; the op list is ring_bwd_schedule's, which ring_bwd_cpu plays, too; a hop is flash_bwd_mma's body (sm_80 and
// later), which adds to fp32 sums of dQ in any order and writes the hop's dK and dV in fp32; another launch adds those to what the ranks before have sent.
//
// Keys for the next step and sums of the last one are posted before the launch that they hide behind, one exchange after the other. Bytes on the wire a rank:
// P-1 shares of K and V in 16 bits and P-1 of dK and dV in fp32, Hkv heads wide: three times a forward hop's, beside 2.5 times its work. A rank that sees
// nothing of a block passes zeros on. Memory: three blocks of keys, four of sums, dQ's sums.
//
// Accumulation: all three gradients in fp32 over all hops, rounded once, so the error does not grow with P; P and dS are rounded to 16 bits before products.
// dq's last bit may differ between runs. Right when L/P is long enough to hide a hop; causal work is balanced by zigzag and striped only. Preconditions:
// D <= 256, a multiple of 8; 161 KB of shared memory a block.
#include "kernels/attention/flash_bwd_mma_launch.cuh"
#include "kernels/attention/kv_passing_bwd_device.hpp"

namespace bench::attention {
namespace {

/// Calls f with the element type and the body, which writes dK and dV in fp32; tiles as flash_bwd_mma_cuda's.
template <class F>
void with_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<T, FlashBwdMma<cuda::Machine, T, 64, 128, 128, 2, false, float>>();
    if (p.head_dim <= 128) return f.template operator()<T, FlashBwdMma<cuda::Machine, T, 128, 64, 128, 2, false, float>>();
    f.template operator()<T, FlashBwdMma<cuda::Machine, T, 256, 64, 64, 1, false, float>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

template <class Part>
__global__ void __launch_bounds__(Part::kThreads) sum_part(const __grid_constant__ SumJob job) {
  Part::run(job);
}

class RingBwdTensors : public DeviceTensors {
 public:
  /// For blocks of `rows` rows of `columns` columns.
  RingBwdTensors(const AttentionProblem& p, KvBwdPlan made, Tensors& tensors, int rows, int columns, DeviceLink* link)
      : DeviceTensors(tensors, {"dq", "dk", "dv"}, {"k", "v"}),
        plan(std::move(made)),
        size_(plan.own_problem(p), rows, columns, 0),
        rows_(size_.rows * static_cast<std::int64_t>(sizeof(RowNumbers))),
        sums_(size_.sums * static_cast<std::int64_t>(sizeof(float))),
        bounds_(to_device(plan.bounds)) {
    if (link != nullptr)
      messages_ = link->message_memory(plan.memory_bytes());
    else
      alone_ = device::DeviceBuffer(plan.memory_bytes());
    plan.place(messages_ ? messages_->data() : alone_.data());
    const Tensor &k = tensors["k"], &v = tensors["v"];
    copy_to_device(plan.keys[0], k.data(), k.bytes());
    copy_to_device(plan.keys[0] + k.bytes(), v.data(), v.bytes());
    plan.own.q = data("q"), plan.own.dout = data("dout"), plan.own.out = data("out"), plan.own.dq = data("dq");
    plan.own.lse = reinterpret_cast<float*>(data("lse"));
    plan.own.rows = reinterpret_cast<RowNumbers*>(rows_.data());
    plan.own.dq_sums = reinterpret_cast<float*>(sums_.data());
    plan.dk = data("dk"), plan.dv = data("dv");
    plan.bounds_data = reinterpret_cast<const std::int32_t*>(bounds_.data());
  }
  KvBwdPlan plan;

 private:
  BwdScratch size_;
  device::DeviceBuffer rows_, sums_, bounds_, alone_;
  std::unique_ptr<MessageMemory> messages_;
};

template <class T, class Body>
struct Launch {
  cudaStream_t stream;

  void begin(const BwdJob& job) const { launch_part<BwdRows<cuda::Machine, T, Body::kColumns, Body::kRows>>(job, stream); }
  void hop(const BwdJob& job) const {
    flash_bwd_mma<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  }
  void end(const BwdJob& job) const { launch_part<BwdQueries<cuda::Machine, T, typename Body::Slots>>(job, stream); }
  void clear(std::span<std::byte> bytes) const { BS_CUDA(cudaMemsetAsync(bytes.data(), 0, bytes.size(), stream)); }
  void add(const SumJob& job) const { launch_sums<AddSums<cuda::Machine>>(job); }
  void round(const SumJob& job) const { launch_sums<RoundSums<cuda::Machine, T>>(job); }
  template <class Part>
  void launch_sums(const SumJob& job) const {
    sum_part<Part><<<Part::blocks(job), Part::kThreads, 0, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  }
};

std::string supports(const Problem& problem) {
  const std::string reason = supports_no_mask(problem);
  return reason.empty() ? needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256) : reason;
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::unique_ptr<Prepared> prepared;
  with_body(p, [&]<class T, class Body>() {
    take_shared_memory(flash_bwd_mma<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
    save_forward(p, tensors, context);
    const int rank = context.link->rank();
    prepared = std::make_unique<RingBwdTensors>(p, KvBwdPlan(p, rank, ring_bwd_schedule(context.link->size(), rank)), tensors, Body::kRows, Body::kColumns, context.device_link);
  });
  return prepared;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const KvBwdPlan& plan = static_cast<const RingBwdTensors&>(*context.prepared).plan;
  with_body(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    play(plan, context.device_link, context.stream, Launch<T, Body>{static_cast<cudaStream_t>(context.stream)});
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_bwd_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward ring between devices: K/V shares go round, fp32 sums of dK and dV travel with them",
    .supports = supports,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
