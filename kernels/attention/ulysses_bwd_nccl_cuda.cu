// SPDX-License-Identifier: Apache-2.0
// ulysses_bwd_nccl_cuda: backward head parallel attention between devices: an all-to-all turns shares of the sequence into shares of the heads, each rank runs
// flash_bwd_mma's body on whole sequences of its heads, and a second all-to-all brings the gradients home.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D), and the forward pass's out and lse -> dq (B, H, n, D), dk dv (B, Hkv, n, D) in bf16 or
// fp16. Algorithm: Jacobs et al. 2023 (arXiv 2309.14509); the op list is ulysses_schedule's, which ulysses_bwd_cpu plays, too; delta = rowsum(dout out) is
// computed before anything is sent. Where Hkv < P or P does not divide it, a key/value head goes to every rank that needs it and its ranks' dK and dV are added up
// at home. P > H does not work. Causal work is balanced in every layout.
//
// Bytes on the wire a rank, P dividing H and Hkv: (P-1)/P (3H + 4Hkv) B n D in 16 bits and (P-1)/P 2H B n numbers of 4; with replicated heads P stands for Hkv
// and dK and dV travel in fp32. All of it is moved within the device twice more. Memory: H/P heads of the whole sequence, and dQ, dK and dV of those in fp32.
// Nothing is hidden behind compute. Accumulation: all gradients in fp32, rounded once; P and dS rounded to 16 bits before products. dk and dv have the same bits
// in every run, dq may differ in the last one. Right for many heads on fast links: the ring sends dK and dV of P-1 shares in fp32, this, where no head is
// replicated, less than one share of each. Preconditions: D <= 256, a multiple of 8; 161 KB of shared memory a block.
#include <memory>
#include <vector>

#include "kernels/attention/bwd_parts_launch.cuh"
#include "kernels/attention/ulysses_bwd_device.hpp"
#include "kernels/attention/ulysses_launch.cuh"

namespace bench::attention {
namespace {

class UlyssesBwdTensors : public DeviceTensors {
 public:
  UlyssesBwdTensors(UlyssesBwdPlan made, Tensors& tensors, DeviceLink* link)
      : DeviceTensors(tensors, {"dq", "dk", "dv"}), plan(std::move(made)), positions_(to_device(plan.positions)) {
    plan.q = data("q"), plan.k = data("k"), plan.v = data("v"), plan.dout = data("dout");
    plan.dq = data("dq"), plan.dk = data("dk"), plan.dv = data("dv");
    plan.own_rows.out = data("out");
    plan.own_rows.lse = reinterpret_cast<float*>(data("lse"));
    plan.positions_data = reinterpret_cast<const std::int32_t*>(positions_.data());
    plan.place(*this, link == nullptr);
    if (link == nullptr) return;
    messages_ = link->message_memory(kUlyssesSlots * plan.slot_bytes);
    plan.slots = messages_->data();
  }
  UlyssesBwdPlan plan;

  // What UlyssesBwdPlan::place asks of memory.
  std::byte* take(std::int64_t bytes) { return scratch_.emplace_back(bytes).data(); }
  std::byte* copy(const std::vector<RowNumbers>& numbers) { return scratch_.emplace_back(to_device(numbers)).data(); }

 private:
  device::DeviceBuffer positions_;
  std::vector<device::DeviceBuffer> scratch_;
  std::unique_ptr<MessageMemory> messages_;
};

template <class T, class Body>
struct Launch : BwdPartsLaunch<T, Body> {
  void move(const RowMove& rows) const { launch_move(rows, this->stream); }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::unique_ptr<Prepared> prepared;
  with_bwd_mma_body<false, true>(p, [&]<class T, class Body>() {
    take_bwd_mma_memory<Body>();
    save_forward(p, tensors, context);
    prepared = std::make_unique<UlyssesBwdTensors>(UlyssesBwdPlan(p, context.link->rank(), Body::kRows, Body::kColumns), tensors, context.device_link);
  });
  return prepared;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const UlyssesBwdPlan& plan = static_cast<const UlyssesBwdTensors&>(*context.prepared).plan;
  with_bwd_mma_body<false, true>(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    play(plan, context.device_link, context.stream, Launch<T, Body>{{static_cast<cudaStream_t>(context.stream)}});
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ulysses_bwd_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward head parallel between devices: all-to-all to heads, keys walk the rows by mma.sync, all-to-all back",
    .supports = supports_ulysses_launch,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
