// SPDX-License-Identifier: Apache-2.0
// A device's kernels of the ssd op, launched on the host (tests/support/host_machine.hpp), against the fp64 oracle.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/inputs.hpp"
#include "kernels/scan/ssd_job.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::scan::test {

inline Params with(Params params, const std::string& name, Value value) {
  params[name] = std::move(value);
  return params;
}

/// One head in bf16.
inline Params one_head(std::int64_t seq, std::int64_t head_dim, std::int64_t state) {
  return {{"seq", seq}, {"heads", std::int64_t{1}}, {"head_dim", head_dim}, {"state", state}, {"dtype", std::string("bf16")}};
}

/// What a launch is told of a problem's inputs.
inline SsdJob job_over(const SsdProblem& p, Tensors& inputs) {
  SsdJob job = ssd_job(p);
  job.x = inputs["x"].data();
  job.z = p.gated ? inputs["z"].data() : nullptr;
  job.dt = inputs["dt"].data();
  job.b = inputs["B"].data();
  job.c = inputs["C"].data();
  job.a = inputs["A"].as<float>();
  job.skip = inputs["D"].as<float>();
  job.bias = inputs["dt_bias"].as<float>();
  job.h0 = inputs["h0"].as<float>();
  return job;
}

/// Inputs, poisoned outputs and what a launch is told of them.
struct HostCase {
  SsdProblem p;
  Tensors inputs, outputs;
  std::vector<std::int32_t> first;

  explicit HostCase(const Params& changes, const Spoil& spoil = nullptr, std::vector<std::int64_t> starts = {}) {
    const Op& op = support::find_op("ssd");
    p = problem_as<SsdProblem>(*op.parse(params_with(op, changes)));
    p.starts = std::move(starts);
    inputs = support::make_inputs(op, p, 1);
    if (spoil) spoil(inputs);
    for (const TensorSpec& spec : op.outputs(p)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
    first = firsts_of(p);
  }

  SsdJob job() {
    SsdJob job = job_over(p, inputs);
    job.first = first.empty() ? nullptr : first.data();
    if (p.backward()) return job;
    job.out = outputs["out"].data();
    job.h_last = outputs["h_last"].as<float>();
    return job;
  }

  void expect_the_oracles_answer() {
    const Op& op = support::find_op("ssd");
    const Kernel& any = support::find_kernel(p.backward() ? "scan/ssd_sequential_bwd_cpu" : "scan/ssd_sequential_cpu");  // what is compared: all outputs
    for (const auto& e : support::compare(any, op, p, inputs, outputs)) EXPECT_LE(e.error, e.tolerance) << e.text();
  }
};

/// Launcher::launch(job, seed) runs every block.
template <class Launcher>
void expect_the_oracles_answer(const Params& changes, const Spoil& spoil = nullptr, const std::vector<std::int64_t>& starts = {}) {
  SCOPED_TRACE(text_of(changes));
  HostCase c(changes, spoil, starts);
  Launcher::launch(c.job(), 1);
  c.expect_the_oracles_answer();
}

/// Steps whose decays are hard for sums: every third one forgets everything (|A| d of thousands), those between nothing to speak of.
inline void make_decays_uneven(Tensors& inputs) {
  fill(inputs, "A", [](std::int64_t) { return -16.0; });
  fill(inputs, "dt_bias", [](std::int64_t) { return 0.0; });
  fill(inputs, "dt", [](std::int64_t i) { return i % 37 == 5 ? 200.0 : i % 3 == 0 ? -3.0 : -9.0; });
}
/// All steps but the first, so that dh0 is no zero, decay by 2^-100 and more: sums over a chunk leave fp32's exponents.
inline void make_decays_underflow(Tensors& inputs) {
  fill(inputs, "A", [](std::int64_t) { return -16.0; });
  fill(inputs, "dt_bias", [](std::int64_t) { return 0.0; });
  fill(inputs, "dt", [](std::int64_t i) { return i == 0 ? -9.0 : i % 5 == 0 ? 30.0 : 5.0; });
}
/// No decay at all: the state is a sum over all steps.
inline void make_decays_none(Tensors& inputs) {
  fill(inputs, "A", [](std::int64_t) { return 0.0; });
}

/// Next to no step at all: d is some 1e-13.
inline void make_steps_tiny(Tensors& inputs) {
  fill(inputs, "dt", [](std::int64_t) { return -30.0; });
}
/// One input that the decay must hide again.
inline void make_an_outlier(Tensors& inputs) {
  fill(inputs, "x", [](std::int64_t i) { return i == 40 ? 1000.0 : 1.0; });
}
inline std::vector<Spoil> hard_inputs() { return {make_decays_uneven, make_decays_underflow, make_decays_none, make_steps_tiny, make_an_outlier}; }

}  // namespace bench::scan::test
