// SPDX-License-Identifier: Apache-2.0
// Launches the backward hops of ring, double ring and all-gather over a DeviceLink, compiled once for all of them: flash_bwd_mma's body with fp32 sums of dK
// and dV, tiles as in flash_bwd_mma_launch.cuh.
//
// A rank's own K and V lie one after the other in key slot 0 from the start, as in kv_passing_launch.cu. dK and dV of its own keys end in sum slot 0.
#include "kernels/attention/kv_passing_bwd_launch.hpp"

#include "kernels/attention/bwd_parts_launch.cuh"
#include "kernels/attention/kv_passing_bwd_device.hpp"
#include "kernels/slot_memory_cuda.hpp"

namespace bench::attention {
namespace {

class KvPassingBwdOnDevice : public DeviceTensors {
 public:
  /// For blocks of `rows` rows of `columns` columns.
  KvPassingBwdOnDevice(const AttentionProblem& p, KvBwdPlan made, Tensors& tensors, int rows, int columns, DeviceLink* link)
      : DeviceTensors(tensors, {"dq", "dk", "dv"}, {"k", "v"}),
        plan(std::move(made)),
        size_(plan.own_problem(p), rows, columns, 0),
        rows_(size_.rows * static_cast<std::int64_t>(sizeof(RowNumbers))),
        sums_(size_.sums * static_cast<std::int64_t>(sizeof(float))),
        bounds_(to_device(plan.bounds)),
        slots_(link, plan.memory_bytes()) {
    plan.place(slots_.data());
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
  device::DeviceBuffer rows_, sums_, bounds_;
  SlotMemory slots_;
};

}  // namespace

std::int64_t kv_passing_bwd_launch_workspace_bytes(const Problem& problem) { return bwd_workspace_bytes(problem); }

std::unique_ptr<Prepared> prepare_kv_passing_bwd_launch(const Problem& problem, Tensors& tensors, Context& context, std::vector<RingBwdOp> schedule) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::unique_ptr<Prepared> prepared;
  with_bwd_mma_body<false, true>(p, [&]<class T, class Body>() {
    take_bwd_mma_memory<Body>();
    save_forward(p, tensors, context);
    prepared = std::make_unique<KvPassingBwdOnDevice>(p, KvBwdPlan(p, context.link->rank(), std::move(schedule)), tensors, Body::kRows, Body::kColumns, context.device_link);
  });
  return prepared;
}

void run_kv_passing_bwd_launch(const Problem& problem, Tensors&, Context& context) {
  const KvBwdPlan& plan = static_cast<const KvPassingBwdOnDevice&>(*context.prepared).plan;
  with_bwd_mma_body<false, true>(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    play(plan, context.device_link, context.stream, BwdPartsLaunch<T, Body>{static_cast<cudaStream_t>(context.stream)});
  });
}

}  // namespace bench::attention
