// SPDX-License-Identifier: Apache-2.0
// Distributed attention on devices, played on the host: every rank a thread, launches block by block on the host's machine, exchanges over
// HostDeviceLink. A kernel's prepare is a plain function: what it shall do lies in `device_play` while a test runs, read only by ranks.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/flash_hop.hpp"
#include "kernels/attention/kv_passing_device.hpp"
#include "kernels/attention/row_move.hpp"
#include "tests/kernels/attention/distributed_cases.hpp"
#include "tests/support/host_device_link.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::attention::test {

inline std::mutex one_machine;  // that all ranks launch on
inline constexpr double kPatience_s = 30.0;  // ranks take turns on one machine; on a rank that gave up nobody waits longer

template <class Body, class Job>
void launch_on_host(const Job& job) {
  const std::lock_guard lock(one_machine);
  support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, 1, [&] { Body(job).run(); });
}

/// A body without shared memory of its own.
template <class Part, class Job>
void part_on_host(const Job& job) {
  const std::lock_guard lock(one_machine);
  support::run_blocks(Part::blocks(job), Part::kThreads, 16, 1, [&] { Part::run(job); });
}
inline void move_on_host(const RowMove& rows) {
  rows.row_bytes % 16 == 0 ? part_on_host<MoveRows<support::HostMachine, 16>>(rows) : part_on_host<MoveRows<support::HostMachine, 4>>(rows);
}

struct DevicePlay {
  std::vector<RingOp> (*schedule)(int ranks, int rank) = nullptr;
  support::Lands lands = support::Lands::mixed;
  std::function<void(KvPlan&, int rank)> spoil = {};
};
inline DevicePlay device_play;

inline std::vector<RingOp> double_ring_of(int ranks, int rank) { return double_ring_schedule(ranks, rank, inner_ring_size(ranks)); }

struct PlayedKv : Prepared {
  std::unique_ptr<support::HostDeviceLink> link;  // goes last
  std::unique_ptr<MessageMemory> memory;
  std::vector<float> state;
  KvPlan plan;
};

using HopBody = FlashHop<support::HostMachine, Bf16, 64, 64, 64>;

inline std::unique_ptr<Prepared> prepare_played_kv(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  auto played = std::make_unique<PlayedKv>();
  context.link->set_deadline(kPatience_s);
  played->link = std::make_unique<support::HostDeviceLink>(*context.link, device_play.lands);
  KvPlan& plan = played->plan = KvPlan(p, context.link->rank(), device_play.schedule(context.link->size(), context.link->rank()));
  if (device_play.spoil) device_play.spoil(plan, context.link->rank());
  played->memory = played->link->message_memory(plan.memory_bytes());
  plan.place(played->memory->data());
  const Tensor &k = tensors["k"], &v = tensors["v"];
  std::memcpy(plan.slots[0], k.data(), static_cast<std::size_t>(k.bytes()));
  std::memcpy(plan.slots[0] + k.bytes(), v.data(), static_cast<std::size_t>(v.bytes()));
  played->state.assign(static_cast<std::size_t>(HopBody::state_floats(plan.own)) + 4, std::numeric_limits<float>::quiet_NaN());
  plan.own.state = reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(played->state.data()) + 15) / 16 * 16);
  plan.own.q = tensors["q"].data();
  plan.own.out = tensors["out"].data();
  plan.own.lse = tensors["lse"].as<float>();
  plan.bounds_data = plan.bounds.data();
  return played;
}

inline void run_played_kv(const Problem& problem, Tensors&, Context& context) {
  const auto& played = static_cast<const PlayedKv&>(*context.prepared);
  DeviceLink* const link = problem.ranks > 1 ? played.link.get() : nullptr;
  play(played.plan, link, nullptr, [](const HopJob& job) { launch_on_host<HopBody>(job); });
}

/// The kernel as a test runs it.
inline Kernel played_kv() {
  Kernel kernel = distributed("ring_cpu");
  kernel.dtypes = {DType::bf16};
  kernel.workspace_bytes = nullptr;
  kernel.prepare = prepare_played_kv;
  kernel.run = run_played_kv;
  return kernel;
}

/// Times the tolerance by which the worst output is off; infinite when a rank gives up.
inline double excess_of(const Kernel& kernel, const AttentionProblem& p) {
  const Op& op = support::find_op("attention");
  const Tensors inputs = support::make_inputs(op, p, 9);
  double worst = 0.0;
  try {
    for (const auto& e : support::compare(kernel, op, p, inputs, run_distributed(kernel, p, inputs).outputs)) worst = std::max(worst, e.error / e.tolerance);
  } catch (const Error&) {
    return std::numeric_limits<double>::infinity();
  }
  return worst;
}

}  // namespace bench::attention::test
