// SPDX-License-Identifier: Apache-2.0
// A device's case is held against the device's rates, and never against the host's.
#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/record_json.hpp"
#include "analysis/results.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

constexpr double kHost = 1e10, kDevice = 1e13;  // FLOP/s: 1e9 FLOP take 0.1 s and 0.1 ms

Limits limits(double flops_per_s, double fp16_flops_per_s = 0.0) {
  Limits l{.fp32_flops_per_s = flops_per_s, .bf16_flops_per_s = 10.0 * flops_per_s, .fp16_flops_per_s = fp16_flops_per_s, .exps_per_s = 1e15};
  l.triad_bytes_per_s.fill(1e15);
  l.read_bytes_per_s.fill(1e15);
  return l;
}

/// One case of a kernel that no build knows, of those names, on one rank of four threads.
RunRecord run_of(const std::string& kernel, const std::string& dtype = "fp32") {
  RunRecord run;
  scaling::Case c = synthetic_case("attention", kernel, 1);
  c.threads = 4;
  c.params["dtype"] = dtype;
  run.cases = {c};
  run.visits = {synthetic_visit(c, 1.0)};
  run.limits[{1, 4}] = limits(kHost);
  return run;
}

const CaseResult& only(const Results& results) {
  return results.cases.front();
}

TEST(DeviceLimits, AreThoseOfItsCases) {
  RunRecord run = run_of("gone_cuda");
  run.limits[{1, 1, true}] = limits(kDevice);
  const Results results = make_results(run);
  EXPECT_EQ(only(results).limit, "compute");
  EXPECT_DOUBLE_EQ(only(results).limit_s, 1e9 / kDevice);
}

TEST(DeviceLimits, ThatAreMissingLeaveItsCasesWithoutOne) {
  const Results results = make_results(run_of("gone_cuda"));
  EXPECT_EQ(only(results).limit, "") << "the host's rate is not the device's limit";
  EXPECT_EQ(only(results).limit_fraction, 0.0);
}

TEST(DeviceLimits, AreNotThoseOfTheHostsCases) {
  RunRecord run = run_of("gone_cpu");
  run.limits[{1, 1, true}] = limits(kDevice);
  EXPECT_DOUBLE_EQ(only(make_results(run)).limit_s, 1e9 / kHost);
}

TEST(DeviceLimits, OfFp16AreItsOwnWhereThereIsOne) {
  RunRecord run = run_of("gone_cuda", "fp16");
  run.limits[{1, 1, true}] = limits(kDevice, 4.0 * kDevice);
  EXPECT_DOUBLE_EQ(only(make_results(run)).limit_s, 1e9 / (4.0 * kDevice));
  run.limits[{1, 1, true}] = limits(kDevice);
  EXPECT_DOUBLE_EQ(only(make_results(run)).limit_s, 1e9 / kDevice) << "computed in fp32";
}

TEST(DeviceLimits, GoThroughJson) {
  const Limits before = limits(kDevice, 2.0 * kDevice);
  EXPECT_EQ(limits_from_json(to_json(before)).fp16_flops_per_s, before.fp16_flops_per_s);
  nlohmann::json old = to_json(before);
  old.erase("fp16_flops_per_s");
  EXPECT_EQ(limits_from_json(old).fp16_flops_per_s, 0.0) << "of a journal that knows no devices";
}

TEST(DeviceFigures, OfAVisitGoThroughJson) {
  const scaling::Case c = synthetic_case("attention", "flash_cuda", 1);
  VisitRecord visit = synthetic_visit(c, 1.0);
  EXPECT_FALSE(to_json(visit).contains("device")) << "most visits have no device";
  visit.device_peak_bytes = 3;
  visit.device_free_bytes = 5;
  visit.device_total_bytes = 8;
  visit.enqueue_s = 0.25;
  visit.graph_nodes = 4;
  visit.ended_process = true;
  const VisitRecord after = visit_from_json(to_json(visit));
  EXPECT_EQ(after.device_peak_bytes, 3);
  EXPECT_EQ(after.device_free_bytes, 5);
  EXPECT_EQ(after.device_total_bytes, 8);
  EXPECT_EQ(after.enqueue_s, 0.25);
  EXPECT_EQ(after.graph_nodes, 4);
  EXPECT_TRUE(after.ended_process);
}

}  // namespace
}  // namespace bench::analysis
