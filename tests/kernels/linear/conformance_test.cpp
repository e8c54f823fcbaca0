// SPDX-License-Identifier: Apache-2.0
// Every registered linear kernel against the fp64 oracle, with every instruction set of this machine: a new
// kernel file is covered as soon as it is built.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/linear/dot.hpp"
#include "kernels/linear/tile.hpp"
#include "tests/kernels/linear/linear_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::linear {
namespace {

constexpr Size kSizes[] = {
    {1, 1, 1, 1},       // the smallest: one weight, a group of one input
    {1, 47, 31, 1},     // panel of 48 - 1, group of 32 - 1; k odd, so half a byte of int4 is padding
    {2, 48, 32, 2},     // whole panel and group; panels fewer than threads
    {3, 49, 33, 3},     // panel + 1, group + 1; strips of 2 and 1 rows
    {7, 17, 512, 1},    // strips of 4, 2 and 1; one whole block of inputs
    {8, 16, 513, 2},    // a whole strip; a block of inputs and one more
    {9, 100, 520, 2},   // strip + 1; a block and the grain of padding
    {95, 10, 70, 1},    // block of rows - 1
    {97, 60, 264, 3},   // block of rows + 1; a group of 256 and a short one
    {1, 200, 1537, 2},  // three blocks of inputs and one more, cut among threads
};

/// Activations and weights that have broken quantised layers.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"x is one outlier", [](Tensors& in) { in["x"].set(0, 3e3); }},
      {"x is constant, so that sums of a group do not cancel",
       [](Tensors& in) { fill(in, "x", [](std::int64_t) { return 1.5; }); }},
      {"x = 0, so that y is the bias", [](Tensors& in) { fill(in, "x", [](std::int64_t) { return 0.0; }); }},
      {"x near the smallest normal", [](Tensors& in) { fill(in, "x", [](std::int64_t) { return 1e-37; }); }},
      {"w = 0, so that scales are", [](Tensors& in) { fill(in, "w", [](std::int64_t) { return 0.0; }); }},
      {"w is constant, so that max = min",
       [](Tensors& in) { fill(in, "w", [](std::int64_t) { return -0.7; }); }},
      {"w is positive, so that zero points are not near 0",
       [](Tensors& in) {
         fill(in, "w", [](std::int64_t i) { return 5.0 + std::sin(static_cast<double>(i)); });
       }},
      {"w is one outlier, so that all other codes are equal", [](Tensors& in) { in["w"].set(3, -1e3); }},
      {"the bias outweighs the product",
       [](Tensors& in) { fill(in, "bias", [](std::int64_t) { return 1e4; }); }},
  };
  return list;
}

/// Groups smaller and larger than the sizes above, and both ways to a zero point; other groups differ in a
/// number.
const std::vector<std::string>& recipes() {
  static const std::vector<std::string> names{"none", "int8wo", "int4wo-32", "int4wo-256", "int4wo-128-hqq"};
  return names;
}

/// Calls visit() with every way there is to read codes here: widened by each instruction set, then as byte dot
/// products by each.
template <class Visit>
void for_each_engine(Visit&& visit) {
  force_dot_engine(nullptr);
  for (const TileEngine& engine : tile_engines()) {
    SCOPED_TRACE(concat("widened, instruction set ", static_cast<int>(engine.isa)));
    force_tile_engine(&engine);
    visit();
  }
  force_tile_engine(nullptr);
  for (const DotEngine& engine : dot_engines()) {
    SCOPED_TRACE(concat("dot products, instruction set ", static_cast<int>(engine.isa)));
    force_dot_engine(&engine);
    visit();
  }
  allow_dot_engines();
}

/// Holds every kernel of this backend to the oracle, with every instruction set where that matters; counts
/// the cases of each that it did not decline.
void check_all(const LinearCase& c, Backend backend, std::map<std::string, int>& tested) {
  for (const Kernel* kernel : linear_kernels()) {
    if (kernel->backend != backend) continue;
    const auto meet = [&] { tested[kernel->name] += c.expect_like_oracle(*kernel) ? 1 : 0; };
    if (backend == Backend::cpu)
      for_each_engine(meet);
    else
      meet();
  }
}

void check(Backend backend, const std::string& dtype, const std::string& recipe,
           std::map<std::string, int>& tested) {
  for (const Size& size : kSizes) check_all(LinearCase(size, dtype, recipe), backend, tested);
  for (const auto& [what, spoil] : hard_values()) {
    SCOPED_TRACE(what);
    check_all(LinearCase({5, 64, 320, 1}, dtype, recipe, spoil), backend, tested);
  }
}

class LinearConformance : public ::testing::TestWithParam<std::string> {};

TEST_P(LinearConformance, EqualsTheOracleWithEveryInstructionSet) {
  std::map<std::string, int> tested;
  for (const std::string& recipe : recipes()) check(Backend::cpu, GetParam(), recipe, tested);
  EXPECT_GE(tested.size(), 3U) << "plain, int8 and int4 kernels are there";
  for (const auto& [kernel, cases] : tested) EXPECT_GT(cases, 0) << kernel << " declines everything";
}

INSTANTIATE_TEST_SUITE_P(Types, LinearConformance, ::testing::Values("fp32", "bf16", "fp16"),
                         [](const auto& which) { return which.param; });

// 33 rows, 150 outputs: strips and panels of all sizes, cut differently among 1, 2 and 3 threads.
TEST(LinearConformance, HasTheSameBitsOnAnyNumberOfThreads) {
  for (const Kernel* kernel : linear_kernels()) {
    if (kernel->backend != Backend::cpu) continue;
    for (const char* recipe : {"none", "int8wo", "int4wo-64"}) {
      std::vector<Tensors> outputs;
      for (const std::int64_t threads : {1, 1, 2, 3}) {
        const auto problem = problem_of({33, 150, 600, threads}, "fp32", recipe);
        if (!supports_case(*kernel, *problem).empty()) continue;
        outputs.push_back(support::run_kernel(*kernel, linear_op(), *problem,
                                              support::make_inputs(linear_op(), *problem, 3),
                                              comm::make_thread_links(1)));
        EXPECT_EQ(std::memcmp(outputs.front()["y"].data(), outputs.back()["y"].data(),
                              static_cast<std::size_t>(outputs.front()["y"].bytes())),
                  0)
            << kernel->name << " " << recipe << " on " << threads << " threads";
      }
    }
  }
}

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(LinearTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  std::map<std::string, int> tested;
  for (const char* dtype : {"fp32", "bf16", "fp16"})
    for (const std::string& recipe : recipes()) check(Backend::torch, dtype, recipe, tested);
  EXPECT_GE(tested.size(), 1U);
  for (const auto& [kernel, cases] : tested) EXPECT_GT(cases, 0) << kernel << " declines everything";
}

}  // namespace
}  // namespace bench::linear
