// SPDX-License-Identifier: Apache-2.0
// Scans cut over devices, played on the host: every rank a thread, launches block by block on the host's machine, exchanges over HostDeviceLink.
#pragma once

#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/scan/carry_device.hpp"
#include "kernels/scan/segments.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/host_device_link.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::scan::test {

inline std::mutex one_machine;  // that all ranks launch on
inline constexpr double kPatience_s = 120.0;  // the other ranks' launches take their time, where others have the cores

/// run() in every thread of `blocks` blocks.
template <class Run>
void launch_on_host(std::int64_t blocks, int threads, int shared_bytes, Run&& run) {
  const std::lock_guard lock(one_machine);
  if (blocks > 0) support::run_blocks(static_cast<int>(blocks), threads, shared_bytes, 1, run);
}

template <template <class> class Decays>
void carry_on_host(const CarryJob& job) {
  using Body = CarryThrough<support::HostMachine, Decays<support::HostMachine>>;
  launch_on_host(Body::blocks(job), Body::kThreads, 0, [&] { Body::run(job); });
}

/// What every scan's played kernel has: messages, and the link between what are no devices.
struct PlayedMessages : Prepared {
  std::unique_ptr<support::HostDeviceLink> link;  // goes last; null for one rank
  std::unique_ptr<MessageMemory> memory;

  /// Where messages lie.
  float* begin(Link& inner, support::Lands lands, std::int64_t bytes) {
    if (inner.size() == 1) return nullptr;
    inner.set_deadline(kPatience_s);
    link = std::make_unique<support::HostDeviceLink>(inner, lands);
    memory = link->message_memory(bytes);
    return reinterpret_cast<float*>(memory->data());
  }
};

/// A forward pass's, with its plan.
struct PlayedCarries : PlayedMessages {
  CarryPlan plan;

  void begin(CarryPlan made, Link& inner, support::Lands lands, const float* h0) {
    plan = std::move(made);
    plan.h0 = h0;
    plan.memory = PlayedMessages::begin(inner, lands, plan.memory_bytes());
  }
  void give_last(Tensor& h_last) const {
    if (memory) std::memcpy(h_last.data(), plan.states(kLast), static_cast<std::size_t>(h_last.bytes()));
  }
};

/// Times the tolerance by which the worst output of a played kernel is off; infinite when a rank gives up.
inline double excess_of(const std::string& op_name, decltype(Kernel::prepare) prepare, decltype(Kernel::run) run, const Params& changes, int ranks,
                        const std::vector<std::int64_t>& starts = {}, const Spoil& spoil = nullptr) {
  const Op& op = support::find_op(op_name);
  const auto problem = op.parse(params_with(op, changes));
  problem->ranks = ranks;
  if (!starts.empty()) static_cast<ScanProblem&>(*problem).starts = starts;
  Kernel kernel;
  kernel.name = "played";
  kernel.op = op_name;
  kernel.collective = true;
  kernel.prepare = prepare;
  kernel.run = run;
  Tensors inputs = support::make_inputs(op, *problem, 1);
  if (spoil) spoil(inputs);
  double worst = 0.0;
  try {
    for (const auto& e : support::compare(kernel, op, *problem, inputs, run_on_threads(kernel, *problem, inputs))) worst = std::max(worst, e.error / e.tolerance);
  } catch (const Error&) {
    return std::numeric_limits<double>::infinity();
  }
  return worst;
}

}  // namespace bench::scan::test
