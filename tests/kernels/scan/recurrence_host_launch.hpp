// SPDX-License-Identifier: Apache-2.0
// A device's recurrence kernels on the host: blocks over tiles as a launch would have them, on outputs that begin as NaN.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "kernels/inputs.hpp"
#include "kernels/scan/recurrence_channels_tile.hpp"
#include "kernels/scan/recurrence_lookback.hpp"
#include "kernels/scan/recurrence_steps_tile.hpp"
#include "kernels/scan/recurrence_stream.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::scan::test {

using support::HostMachine;

/// A problem with its inputs, and a job whose pointers are the host's.
struct HostRecurrence {
  std::unique_ptr<Problem> problem;
  Tensors inputs, outputs;
  RecurrenceJob job;

  explicit HostRecurrence(const Params& changes, const Spoil& spoil = nullptr) {
    problem = op().parse(params_with(op(), changes));
    inputs = support::make_inputs(op(), *problem, 1);
    if (spoil) spoil(inputs);
    for (const TensorSpec& spec : op().outputs(*problem)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
    job = recurrence_job(p());
    const bool back = p().backward();
    if (!p().starts.empty()) bits_ = start_bits(p().starts, p().seq);
    job.starts = bits_.empty() ? nullptr : bits_.data();
    job.a = inputs["a"].data();
    job.x = inputs[back ? "dh" : "b"].data();
    job.h = back ? inputs["h"].data() : nullptr;
    job.h0 = inputs["h0"].data();
    job.seed = inputs[back ? "dh_last" : "h0"].data();
    job.y = outputs[back ? "db" : "h"].data();
    job.da = back ? outputs["da"].data() : nullptr;
    job.end = outputs[back ? "dh0" : "h_last"].data();
  }
  static const Op& op() { return support::find_op("recurrence"); }
  const RecurrenceProblem& p() const { return problem_as<RecurrenceProblem>(*problem); }

  void expect_the_oracles_answer() {
    const Kernel& any = support::find_kernel("scan/recurrence_sequential_cpu");
    for (const auto& e : support::compare(any, op(), *problem, inputs, outputs)) EXPECT_LE(e.error, e.tolerance) << e.text();
  }

  template <class Body>
  void launch(std::uint64_t seed = 1) const {
    support::run_blocks(static_cast<int>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, seed, [&] { Body::run(job); });
  }

  /// Cuts the steps into spans of so many tiles.
  template <class Tile>
  void cut(std::int64_t tiles_a_span) {
    job.tiles_a_span = tiles_a_span;
    job.spans = ceil_div(Tile::tiles(job), tiles_a_span);
    const auto numbers = static_cast<std::size_t>(job.batch * job.channels * job.spans) * sizeof(typename Tile::Number) / sizeof(float);
    maps_.assign(2 * numbers, std::numeric_limits<float>::quiet_NaN());
    states_.assign(numbers, std::numeric_limits<float>::quiet_NaN());
    job.maps = maps_.data();
    job.states = states_.data();
  }

  struct alignas(16) Record {
    std::byte bytes[16];
  };
  /// As before the first launch of a kernel that looks back.
  template <class Tile>
  void add_records() {
    records_.assign(static_cast<std::size_t>(job.batch * job.channels * Tile::tiles(job)) * sizeof(typename Tile::Number) / 4, Record{});
    job.records = records_.data();
    job.tickets = &tickets_;
  }
  /// So many blocks at a time, each ahead of the others as it comes.
  template <class Body>
  void launch_together(int together, std::uint64_t seed) const {
    support::run_blocks_together(together, static_cast<int>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, seed, [&] { Body::run(job); });
  }

 private:
  std::vector<std::uint32_t> bits_;
  std::vector<float> maps_, states_;
  std::vector<Record> records_;
  std::uint64_t tickets_ = 0;
};

template <class T, Sweep kSweep>
using Rows = StepsTile<HostMachine, T, kSweep, 1>;
template <class T, Sweep kSweep>
using LongRows = StepsTile<HostMachine, T, kSweep, 2>;
template <class T, Sweep kSweep, int kWidth = 1>
using Lines = ChannelsTile<HostMachine, T, kSweep, 4, kWidth>;

inline Params shape(const char* axis, std::int64_t batch, std::int64_t seq, std::int64_t channels, const char* dtype = "fp32", const char* pass = "fwd") {
  return {{"time_axis", std::string(axis)}, {"batch", batch}, {"seq", seq}, {"channels", channels}, {"dtype", std::string(dtype)}, {"pass", std::string(pass)}};
}
inline Params packed(Params params, std::int64_t segments) {
  params["segments"] = segments;
  return params;
}

}  // namespace bench::scan::test
