// SPDX-License-Identifier: Apache-2.0
// nccl_cuda: the operation as one call of the link between devices.
//
// y = the operation of x; x (P, in), y (P, out) or, where all ranks have the same, (out): collective.hpp. Device memory, as the link gives it for
// messages: registered with the transport where all ranks can.
//
// Algorithm: the transport's: ncclAllReduce, ncclAllGather, ncclReduceScatter; all-to-all as a group of sends and receives, as NCCL before 2.28
// has none; an exchange with both neighbours in one group (sendrecv). The call goes to the link's stream, the case's stream waits for it, and the time
// is between events on that one: what it costs a kernel that needs the answer, a hand-over of streams either way included (nccl-tests has one stream).
//
// Work: P - 1 additions an element of a sum. Bytes and what `algbw` and `busbw` are: docs/metrics.md. `wire_bytes` is what has to be sent.
//
// Error against fp64: none; the data are chosen so that every order of a sum is exact.
//
// Right choice: to know what the transport gives between devices. Preconditions: two ranks or more, a device each (link: nccl).
#include "kernels/collective/collective.hpp"
#include "kernels/device_tensors_cuda.hpp"
#include "kernels/kernel.hpp"

namespace bench::collective {
namespace {

std::unique_ptr<MessageMemory> memory_for(DeviceLink& link, std::span<const std::byte> initial) {
  auto memory = link.message_memory(static_cast<std::int64_t>(initial.size()));
  copy_to_device(memory->data(), initial.data(), static_cast<std::int64_t>(initial.size()));
  return memory;
}

/// x and y on the device.
struct Messages : Prepared {
  std::unique_ptr<MessageMemory> x, y;
  std::size_t x_bytes, y_bytes;

  Messages(DeviceLink& link, Tensors& tensors)
      : x(memory_for(link, input_of(tensors))), y(memory_for(link, output_of(tensors))), x_bytes(input_of(tensors).size()), y_bytes(output_of(tensors).size()) {}
  std::span<const std::byte> in() const { return {x->data(), x_bytes}; }
  std::span<std::byte> out() const { return {y->data(), y_bytes}; }
  void collect(Tensors& tensors) const override { copy_from_device(output_of(tensors).data(), y->data(), static_cast<std::int64_t>(y_bytes)); }
};

std::unique_ptr<Transfer> post(DeviceLink& link, const CollectiveProblem& p, std::span<const std::byte> in, std::span<std::byte> out) {
  const int up = (link.rank() + 1) % link.size(), down = (link.rank() - 1 + link.size()) % link.size();
  switch (p.operation) {
    case Operation::allreduce: return link.post_allreduce(p.dtype, in, out);
    case Operation::allgather: return link.post_allgather(in, out);
    case Operation::reduce_scatter: return link.post_reduce_scatter(p.dtype, in, out);
    case Operation::alltoall: return link.post_alltoall(in, out);
    case Operation::sendrecv: return link.post(in, up, out, down);
  }
  throw Error(ErrorKind::internal, "an operation that nobody knows");
}

std::string supports(const Problem& problem) {
  return problem.ranks > 1 ? too_short(problem) : "one rank has no other device to talk to";
}

std::unique_ptr<Prepared> prepare(const Problem&, Tensors& tensors, Context& context) { return std::make_unique<Messages>(*context.device_link, tensors); }

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& messages = static_cast<const Messages&>(*context.prepared);
  post(*context.device_link, problem_as<CollectiveProblem>(problem), messages.in(), messages.out())->hold_up(context.stream);
}

const Registrar<Kernel> registrar{{
    .name = "collective/nccl_cuda",
    .op = "collective",
    .backend = Backend::nccl,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "one call of the link between devices: NCCL's own collective, or a group of sends and receives",
    .example = {{"ranks", std::int64_t{2}}},
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::collective
