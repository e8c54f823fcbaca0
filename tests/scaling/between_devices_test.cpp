// SPDX-License-Identifier: Apache-2.0
// Kernels that send from device to device, and `link: nccl`: which goes with which. And the setting that lets ranks share a device.
#include <gtest/gtest.h>

#include "scaling/parameters.hpp"
#include "scaling/plan.hpp"
#include "scaling/sweep.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

/// Of the nccl backend; nothing of it is run.
Kernel between_devices() {
  Kernel kernel = toy::make_kernel("devices/ring_nccl_cuda", "toy_devices", true);
  kernel.backend = Backend::nccl;
  return kernel;
}
const Registrar<Op> kOp{toy::make_op("toy_devices", toy::pair_cost)};  // of its own: other tests count what toy_pairs has
const Registrar<Kernel> kBetweenDevices{between_devices()};
const Registrar<Kernel> kBetweenHosts{toy::make_kernel("devices/ring", "toy_devices", true)};

Study study_of(const std::string& kernel, const std::string& axes, const std::string& run = "{}") {
  return parse_study("schema_version: 1\nname: devices\nrun: " + run + "\nsweeps:\n  - {op: toy_devices, kernels: " + kernel + ", axes: " + axes + "}\n", "d.yaml");
}
std::vector<Case> cases_of(const std::string& kernel, const std::string& axes) {
  return make_cases(study_of(kernel, axes), {}, {.ranks = 2, .ranks_per_node = 2});
}

TEST(BetweenDevices, AKernelNeedsTheirLinkAndNoOtherHasIt) {
  const auto cases = cases_of("[devices/ring_nccl_cuda, devices/ring]", "{ranks: 2, link: [mpi, nccl]}");
  ASSERT_EQ(cases.size(), 4U);
  for (const Case& c : cases) {
    const bool right = (c.kernel == "devices/ring_nccl_cuda") == (link_of(c.params) == "nccl");
    EXPECT_EQ(c.planned, right ? Outcome::ok : Outcome::skipped) << c.kernel << ' ' << link_of(c.params);
    EXPECT_EQ(c.reason.find("link: nccl") != std::string::npos, !right) << c.reason;
  }
}

TEST(BetweenDevices, OneRankNeedsNoLink) {
  const auto cases = cases_of("devices/ring_nccl_cuda", "{ranks: 1, link: [mpi, nccl]}");
  ASSERT_EQ(cases.size(), 1U) << "one case";
  EXPECT_EQ(cases[0].planned, Outcome::ok) << cases[0].reason;
  EXPECT_FALSE(cases[0].params.contains("link"));
}

TEST(AllowSharedGpu, IsYesOrNoAndChangesAPlanOnlyWhenSet) {
  const auto plan_of = [](const char* run) {
    const Study study = study_of("devices/ring", "{ranks: 1}", run);
    const Machine machine{.ranks = 1, .ranks_per_node = 1};
    return make_plan(study, make_cases(study, {}, machine), machine);
  };
  EXPECT_FALSE(plan_of("{}").run.allow_shared_gpu);
  EXPECT_TRUE(plan_of("{allow_shared_gpu: true}").run.allow_shared_gpu);
  EXPECT_EQ(plan_of("{}").sha256, plan_of("{allow_shared_gpu: false}").sha256);
  EXPECT_NE(plan_of("{}").sha256, plan_of("{allow_shared_gpu: true}").sha256);
  EXPECT_THROW(plan_of("{allow_shared_gpu: often}"), Error);
}

}  // namespace
}  // namespace bench::scaling
