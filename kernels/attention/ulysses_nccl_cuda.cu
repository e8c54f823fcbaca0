// SPDX-License-Identifier: Apache-2.0
// ulysses_nccl_cuda: head parallel attention between devices: an all-to-all turns shares of the sequence into shares of the heads, each rank runs
// flash_mma's body on whole sequences of its heads, and a second all-to-all brings the results back.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D) in bf16 or fp16, lse (B, H, n) in fp32. Algorithm: Jacobs et al. 2023
// (arXiv 2309.14509); the op list is ulysses_schedule's, which ulysses_cpu plays, too; packing and unpacking are launches (row_move.hpp). A key/value head
// goes to every rank that needs it, so Hkv < P works, by replication; P > H does not. Causal work is balanced in every layout.
//
// Bytes on the wire a rank, P dividing H and Hkv: (P-1)/P (2H + 2Hkv) B n D elements, and (P-1)/P H B n log-sum-exps of 4 bytes; all of it is moved within the
// device twice more. Memory: H/P heads of the whole sequence, as much as its shares. Nothing is hidden behind compute. Accuracy and bits are flash_mma_cuda's
// for any P. Right for many heads on fast links: it moves less than the ring from P = 1 + H / Hkv on. Preconditions: D <= 256, a multiple of 8.
#include <memory>

#include "kernels/attention/flash_mma_launch.cuh"
#include "kernels/attention/ulysses_device.hpp"
#include "kernels/attention/ulysses_launch.cuh"

namespace bench::attention {
namespace {

class UlyssesTensors : public DeviceTensors {
 public:
  UlyssesTensors(UlyssesPlan made, Tensors& tensors, DeviceLink* link) : DeviceTensors(tensors, {"out", "lse"}), plan(std::move(made)), positions_(to_device(plan.positions)) {
    plan.q = data("q"), plan.k = data("k"), plan.v = data("v"), plan.out = data("out"), plan.lse = data("lse");
    plan.positions_data = reinterpret_cast<const std::int32_t*>(positions_.data());
    if (link == nullptr) return;
    messages_ = link->message_memory(kUlyssesSlots * plan.slot_bytes);
    plan.slots = messages_->data();
    for (DevicePiece& piece : plan.pieces) {
      piece.job.q = take(plan.query_bytes(piece));
      piece.job.k = take(plan.key_bytes(piece));
      piece.job.v = take(plan.key_bytes(piece));
      piece.job.out = take(plan.query_bytes(piece));
      piece.job.lse = reinterpret_cast<float*>(take(plan.lse_bytes(piece)));
    }
  }
  /// The one rank's job.
  DeviceJob alone() const {
    DeviceJob job = device_job(plan.p);
    job.q = plan.q, job.k = plan.k, job.v = plan.v, job.out = plan.out, job.lse = reinterpret_cast<float*>(plan.lse);
    return job;
  }
  UlyssesPlan plan;

 private:
  std::byte* take(std::int64_t bytes) { return pieces_.emplace_back(bytes).data(); }
  device::DeviceBuffer positions_;
  std::vector<device::DeviceBuffer> pieces_;
  std::unique_ptr<MessageMemory> messages_;
};

template <class Body>
struct Launch {
  cudaStream_t stream;

  void attend(const DeviceJob& job) const { launch_flash_mma<Body>(job, stream); }
  void move(const RowMove& rows) const { launch_move(rows, stream); }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  with_flash_mma_body<FlashMma>(p, []<class Body>() { prepare_flash_mma<Body>(); });
  return std::make_unique<UlyssesTensors>(UlyssesPlan(p, context.link->rank()), tensors, context.device_link);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& tensors = static_cast<const UlyssesTensors&>(*context.prepared);
  with_flash_mma_body<FlashMma>(problem_as<AttentionProblem>(problem), [&]<class Body>() {
    const Launch<Body> launch{static_cast<cudaStream_t>(context.stream)};
    if (context.device_link == nullptr) return launch.attend(tensors.alone());
    play(tensors.plan, *context.device_link, context.stream, launch);
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ulysses_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .collective = true,
    .about = "head parallel between devices: all-to-all to heads, blocked online softmax by mma.sync, all-to-all back",
    .supports = supports_ulysses_launch,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
