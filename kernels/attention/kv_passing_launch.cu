// SPDX-License-Identifier: Apache-2.0
// Launches the hops of ring, double ring and all-gather over a DeviceLink, compiled once for all of them.
//
// A rank's own K and V lie one after the other in slot 0 from the start, as its projection would leave them, so that a hop is one message each way.
#include "kernels/attention/kv_passing_launch.hpp"

#include <memory>

#include "kernels/attention/flash_hop.hpp"
#include "kernels/attention/flash_mma_launch.cuh"
#include "kernels/attention/kv_passing_device.hpp"
#include "kernels/device_tensors_cuda.hpp"
#include "kernels/slot_memory_cuda.hpp"

namespace bench::attention {
namespace {

class KvPassingOnDevice : public DeviceTensors {
 public:
  KvPassingOnDevice(KvPlan made, Tensors& tensors, std::int64_t state_floats, DeviceLink* link)
      : DeviceTensors(tensors, {"out", "lse"}, {"k", "v"}),
        plan(std::move(made)),
        state_(state_floats * static_cast<std::int64_t>(sizeof(float))),
        bounds_(to_device(plan.bounds)),
        slots_(link, plan.memory_bytes()) {
    plan.place(slots_.data());
    const Tensor &k = tensors["k"], &v = tensors["v"];
    copy_to_device(plan.slots[0], k.data(), k.bytes());
    copy_to_device(plan.slots[0] + k.bytes(), v.data(), v.bytes());
    plan.own.q = data("q");
    plan.own.out = data("out");
    plan.own.lse = reinterpret_cast<float*>(data("lse"));
    plan.own.state = reinterpret_cast<float*>(state_.data());
    plan.bounds_data = reinterpret_cast<const std::int32_t*>(bounds_.data());
  }
  KvPlan plan;

 private:
  device::DeviceBuffer state_, bounds_;
  SlotMemory slots_;
};

}  // namespace

std::string supports_kv_passing_launch(const Problem& problem) {
  const std::string reason = supports_no_mask(problem);
  return reason.empty() ? needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256) : reason;
}

std::unique_ptr<Prepared> prepare_kv_passing_launch(const Problem& problem, Tensors& tensors, Context& context, std::vector<RingOp> schedule) {
  const auto& p = problem_as<AttentionProblem>(problem);
  KvPlan plan(p, context.link->rank(), std::move(schedule));
  std::int64_t state_floats = 0;
  with_flash_mma_body<FlashHop>(p, [&]<class Body>() {
    prepare_flash_mma<Body>();
    if (p.ranks > 1) state_floats = Body::state_floats(plan.own);
  });
  return std::make_unique<KvPassingOnDevice>(std::move(plan), tensors, state_floats, context.device_link);
}

void run_kv_passing_launch(const Problem& problem, Tensors&, Context& context) {
  const KvPlan& plan = static_cast<const KvPassingOnDevice&>(*context.prepared).plan;
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_flash_mma_body<FlashHop>(problem_as<AttentionProblem>(problem), [&]<class Body>() {
    play(plan, context.device_link, context.stream, [&](const HopJob& job) { launch_flash_mma<Body>(job, stream); });
  });
}

}  // namespace bench::attention
