// SPDX-License-Identifier: Apache-2.0
// A device's kernels of the selective scan on the host, as a launch would have them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "kernels/inputs.hpp"
#include "kernels/scan/selective_walk.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::scan::test {

/// A problem with its inputs, outputs poisoned, and the job over them; starts in words of the test's own.
struct HostSelective {
  const Op& op = support::find_op("selective");
  std::unique_ptr<Problem> problem;
  Tensors inputs, outputs;
  std::vector<std::uint32_t> starts;

  explicit HostSelective(const Params& changes, const Spoil& spoil = nullptr) : problem(op.parse(params_with(op, changes))), inputs(support::make_inputs(op, *problem, 1)), starts(start_words(p())) {
    if (spoil) spoil(inputs);
    for (const TensorSpec& spec : op.outputs(*problem)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
  }
  const SelectiveProblem& p() const { return problem_as<SelectiveProblem>(*problem); }

  SelectiveJob job() {
    SelectiveJob job = selective_job(p());
    job.u = inputs["u"].data();
    job.delta = inputs["delta"].data();
    job.z = inputs["z"].data();
    job.b = inputs["B"].data();
    job.c = inputs["C"].data();
    job.a = inputs["A"].as<float>();
    job.skip = inputs["D"].as<float>();
    job.bias = inputs["delta_bias"].as<float>();
    job.h0 = inputs["h0"].as<float>();
    job.starts = starts.empty() ? nullptr : starts.data();
    if (p().backward()) return job;
    job.out = outputs["out"].data();
    job.h_last = outputs["h_last"].as<float>();
    return job;
  }

  void expect_the_oracles_answer() const {
    std::vector<std::int64_t> rows = row_range(0, p().seq);
    const Tensors reference = op.reference(*problem, support::widen(inputs), rows);
    for (const auto& [name, got] : outputs.all()) {
      double scale = 0.0, worst = 0.0;
      for (std::int64_t i = 0; i < got.count(); ++i) {
        scale = std::max(scale, std::abs(reference[name].at(i)));
        const double off = std::abs(got.at(i) - reference[name].at(i));
        worst = off <= worst ? worst : off;  // NaN counts, too
        if (std::isnan(got.at(i))) worst = std::numeric_limits<double>::infinity();
      }
      EXPECT_LE(worst, op.tolerance(*problem, name) * scale) << name;
    }
  }
};

template <class Body, class Job>
void run_body(const Job& job, std::uint64_t seed = 1) {
  support::run_blocks(static_cast<int>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(job).run(); });
}

/// The problem whose elements are of T.
template <class T>
Params typed(Params params) {
  params["dtype"] = std::string(std::is_same_v<T, float> ? "fp32" : std::is_same_v<T, Bf16> ? "bf16" : "fp16");
  return params;
}

inline Params sizes(std::int64_t batch, std::int64_t seq, std::int64_t channels, std::int64_t state, std::int64_t groups = 1, std::int64_t segments = 1) {
  return {{"batch", batch}, {"seq", seq}, {"channels", channels}, {"state", state}, {"groups", groups}, {"segments", segments}};
}

}  // namespace bench::scan::test
