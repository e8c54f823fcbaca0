// SPDX-License-Identifier: Apache-2.0
// Every registered kernel of the collective op over threads, against the fp64 oracle; and the op's own rules.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "kernels/collective/collective.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench::collective {
namespace {

constexpr const char* kOperations[] = {"allreduce", "allgather", "reduce_scatter", "alltoall", "sendrecv"};

const Op& op() { return support::find_op("collective"); }

std::unique_ptr<Problem> problem_of(const std::string& operation, std::int64_t bytes, std::int64_t ranks, const std::string& dtype = "fp32") {
  Params params = default_params(op());
  params["operation"] = operation;
  params["message_bytes"] = bytes;
  params["ranks"] = ranks;
  params["dtype"] = dtype;
  return op().parse(params);
}

std::vector<const Kernel*> kernels() {
  std::vector<const Kernel*> found;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == "collective" && kernel->backend == Backend::cpu) found.push_back(kernel);
  return found;
}

/// False when the kernel declines.
bool expect_like_oracle(const Kernel& kernel, const Problem& problem, const Tensors& inputs, const Tensors& reference) {
  if (!supports_case(kernel, problem).empty()) return false;
  const Tensors outputs = support::run_kernel(kernel, op(), problem, inputs, comm::make_thread_links(static_cast<int>(problem.ranks)));
  for (const auto& e : support::compare_to(kernel, op(), problem, reference, outputs))
    EXPECT_LE(e.error, e.tolerance) << kernel.name << ": " << e.text();
  return true;
}

// 1: copies; 2: both neighbours are one rank; 3 and 5: no powers of two; 4 and 8: whole rounds of doubling.
class CollectiveConformance : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(CollectiveConformance, EqualsTheOracleToTheBit) {
  std::map<std::string, int> tested;
  // An element for each of 2 ranks; one byte short of 8 fp64; not divisible by anything; 8 KiB, where algorithms change, and one more; several parts of
  // 128 KiB for 2 to 4 ranks.
  for (const std::int64_t bytes : {8, 63, 1003, 8192, 8200, 1'000'003})
    for (const char* operation : kOperations)
      for (const char* dtype : {"fp64", "fp32", "bf16", "fp16"}) {
        if (bytes > 100'000 && std::string(dtype) != "fp32") continue;  // the lengths are the point
        SCOPED_TRACE(concat(operation, ' ', bytes, ' ', dtype));
        const auto problem = problem_of(operation, bytes, GetParam(), dtype);
        if (!too_short(*problem).empty()) continue;
        const Tensors inputs = support::make_inputs(op(), *problem, 1);
        const Tensors reference = support::reference_of(op(), *problem, inputs);
        for (const Kernel* kernel : kernels()) tested[kernel->name] += expect_like_oracle(*kernel, *problem, inputs, reference) ? 1 : 0;
      }
  EXPECT_GE(tested.size(), 2U);
  for (const auto& [kernel, cases] : tested) EXPECT_GT(cases, 10) << kernel << " declines nearly everything";
}

INSTANTIATE_TEST_SUITE_P(Ranks, CollectiveConformance, ::testing::Values(1, 2, 3, 4, 5, 8), [](const auto& ranks) { return "on_" + std::to_string(ranks.param); });

TEST(CollectiveOracle, SaysWhatEachOperationMeans) {
  // Two ranks, four numbers each: 1 2 3 4 and 10 20 30 40.
  Tensors x;
  x.add("x", Tensor(DType::f64, {2, 4}));
  for (int i = 0; i < 4; ++i) x["x"].set(i, i + 1.0), x["x"].set(4 + i, 10.0 * (i + 1));
  const std::map<std::string, std::vector<double>> expected{{"allreduce", {11, 22, 33, 44}},
                                                            {"reduce_scatter", {11, 22, 33, 44}},
                                                            {"alltoall", {1, 2, 10, 20, 3, 4, 30, 40}},
                                                            {"sendrecv", {10, 20, 30, 40, 1, 2, 3, 4}},
                                                            {"allgather", {1, 2, 3, 4, 10, 20, 30, 40}}};
  for (const auto& [operation, values] : expected) {
    const auto problem = problem_of(operation, operation == "allgather" ? 32 : 16, 2);  // the whole of an allgather is what comes out
    const Tensors y = reference(*problem, x, std::vector<std::int64_t>{0, 1});
    ASSERT_EQ(y["y"].count(), static_cast<std::int64_t>(values.size())) << operation;
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(y["y"].at(static_cast<std::int64_t>(i)), values[i]) << operation << ' ' << i;
  }
}

/// What the tolerance leans on: 0 is reached, whatever the order, and a missing addend is far above it.
TEST(CollectiveData, SumToWholeNumbersThatEveryTypeHolds) {
  for (const std::int64_t ranks : {2, 8, 64, 256})
    for (const char* dtype : {"bf16", "fp16", "fp32"}) {
      const auto problem = problem_of("allreduce", 4000, ranks, dtype);
      const Tensors inputs = support::make_inputs(op(), *problem, 1);
      const Tensor& x = inputs["x"];
      const std::int64_t width = x.count() / ranks;
      double largest = 0.0;
      for (std::int64_t i = 0; i < x.count(); ++i) EXPECT_EQ(x.at(i), std::round(x.at(i)));
      for (std::int64_t i = 0; i < width; ++i) {
        double partial = 0.0;
        for (std::int64_t r = 0; r < ranks; ++r) largest = std::max(largest, std::abs(partial += x.at(r * width + i)));
      }
      EXPECT_LE(largest, 256.0) << ranks << " ranks of " << dtype;
      EXPECT_GT(largest, 0.0);
    }
}

TEST(CollectiveProblem, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(problem_of("gossip", 8, 2), Error);
  EXPECT_THROW(problem_of("allreduce", 0, 2), Error);
  const auto problem = problem_of("alltoall", 8, 4);
  for (const Kernel* kernel : kernels())
    EXPECT_NE(supports_case(*kernel, *problem).find("8 are less than one fp32 for each of 4 ranks"), std::string::npos) << kernel->name;
}

/// Least traffic and what a rank must send, in bytes: 4 ranks, 4000 bytes.
TEST(CollectiveCost, CountsWhatCannotBeSaved) {
  const std::map<std::string, std::pair<double, double>> expected{{"allreduce", {32000, 6000}},
                                                                  {"allgather", {20000, 3000}},
                                                                  {"reduce_scatter", {20000, 3000}},
                                                                  {"alltoall", {32000, 3000}},
                                                                  {"sendrecv", {32000, 4000}}};
  for (const auto& [operation, bytes] : expected) {
    const Cost cost = op().cost(*problem_of(operation, 4000, 4));
    EXPECT_EQ(cost.bytes, bytes.first) << operation;
    EXPECT_EQ(cost.wire_bytes, bytes.second) << operation;
    EXPECT_EQ(op().cost(*problem_of(operation, 4000, 1)).wire_bytes, 0.0) << operation << " on one rank";
  }
}

}  // namespace
}  // namespace bench::collective
