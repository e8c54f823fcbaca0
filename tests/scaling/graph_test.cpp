// SPDX-License-Identifier: Apache-2.0
// `graph` as an axis: which cases it makes, and of which kernels.
#include <gtest/gtest.h>

#include "scaling/parameters.hpp"
#include "scaling/plan.hpp"
#include "scaling/sweep.hpp"
#include "tests/scaling/toy_ops.hpp"

namespace bench::scaling {
namespace {

/// Of the cuda backend; nothing of it is run.
Kernel on_device() {
  Kernel kernel = toy::make_kernel("graphs/captured_cuda", "toy_graphs", false);
  kernel.backend = Backend::cuda;
  return kernel;
}
const Registrar<Op> kOp{toy::make_op("toy_graphs", toy::pair_cost)};  // of its own: other tests count what toy_pairs has
const Registrar<Kernel> kOnDevice{on_device()};
const Registrar<Kernel> kOnHost{toy::make_kernel("graphs/plain", "toy_graphs", false)};

std::vector<Case> cases_of(const std::string& kernel, const std::string& axes) {
  const std::string sweeps = "  - {op: toy_graphs, kernels: " + kernel + ", " + axes + "}\n";
  return make_cases(parse_study("schema_version: 1\nname: graphs\nsweeps:\n" + sweeps, "g.yaml"), {}, {.ranks = 1, .ranks_per_node = 1});
}

TEST(Graph, IsACaseOfItsOwnAndEagerIsThePlainCase) {
  const auto both = cases_of("graphs/captured_cuda", "axes: {graph: [false, true]}");
  ASSERT_EQ(both.size(), 2U);
  EXPECT_FALSE(both[0].params.contains("graph"));
  EXPECT_TRUE(is_graph(both[1].params));
  EXPECT_NE(both[0].id, both[1].id);
  EXPECT_EQ(cases_of("graphs/captured_cuda", "fixed: {seq: 1}").front().id, cases_of("graphs/captured_cuda", "fixed: {seq: 1, graph: false}").front().id);
  EXPECT_EQ(both[1].planned, Outcome::ok);
}

TEST(Graph, DoesNotChangeTheAnswer) {
  const auto both = cases_of("graphs/captured_cuda", "axes: {graph: [false, true]}");
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(problem_key(both[0].op, both[0].params), problem_key(both[1].op, both[1].params)) << "one oracle serves both";
}

TEST(Graph, OfAHostsKernelIsARowThatSaysWhyNot) {
  const auto cases = cases_of("graphs/plain", "fixed: {graph: true}");
  ASSERT_EQ(cases.size(), 1U);
  EXPECT_EQ(cases[0].planned, Outcome::skipped);
  EXPECT_NE(cases[0].reason.find("only what a device does can be captured"), std::string::npos) << cases[0].reason;
}

TEST(Graph, IsYesOrNo) {
  EXPECT_THROW(cases_of("graphs/captured_cuda", "fixed: {graph: often}"), Error);
}

TEST(OnDevice, IsSaidByTheBackendOrWhereTheKernelIsUnknownByItsName) {
  EXPECT_TRUE(is_on_device("graphs/captured_cuda"));
  EXPECT_FALSE(is_on_device("graphs/plain"));
  EXPECT_TRUE(is_on_device("attention/of_another_build_sm90_cuda"));
  EXPECT_FALSE(is_on_device("attention/of_another_build_cpu"));
}

}  // namespace
}  // namespace bench::scaling
