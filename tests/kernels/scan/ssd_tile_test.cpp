// SPDX-License-Identifier: Apache-2.0
// The vector engine of Mamba-2's scan, for every instruction set this machine has: the conformance tests only
// meet the widest.
#include "kernels/scan/ssd_tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/scan/ssd_decay.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

// 37 elements: whole vectors and a ragged one at every width. 27 states: a panel and a half, and the last
// tile of 4 is ragged. 100 steps: a chunk and a half. Two groups of a head each.
Params shape(const std::string& dtype, std::int64_t threads = 1) {
  return {{"seq", std::int64_t{100}},  {"heads", std::int64_t{2}},  {"head_dim", std::int64_t{37}},
          {"state", std::int64_t{27}}, {"groups", std::int64_t{2}}, {"dtype", dtype},
          {"threads", threads}};
}

class SsdTile : public ::testing::TestWithParam<std::tuple<Isa, std::string>> {};

TEST_P(SsdTile, ScansLikeTheOracle) {
  const auto& [isa, dtype] = GetParam();
  if (!has_isa(isa)) GTEST_SKIP() << "this processor lacks the instruction set";
  const Op& op = support::find_op("ssd");
  const auto problem = op.parse(params_with(op, shape(dtype)));
  const auto& p = problem_as<SsdProblem>(*problem);
  Tensors tensors = support::make_inputs(op, p, 11);
  const Tensors want = op.reference(p, support::widen(tensors), row_range(0, p.seq));
  for (const TensorSpec& spec : op.outputs(p)) tensors.add(spec.name, Tensor(spec.dtype, spec.shape));
  std::memcpy(tensors["h_last"].data(), tensors["h0"].data(),
              static_cast<std::size_t>(tensors["h0"].bytes()));
  dispatch(p.dtype, [&, isa = isa]<class T>() {
    using S = StateOf<T>;
    // Scratch comes as the harness leaves it: whatever lies in it must not reach the result.
    const std::int64_t packed = p.heads * ssd_packed(p.state), count = packed + ssd_scratch(p.state);
    Tensor scratch(state_dtype(p.dtype), {count});
    for (std::int64_t i = 0; i < count; ++i) scratch.set(i, std::nan(""));
    std::vector<double> open(static_cast<std::size_t>(p.heads), std::nan(""));
    S* const room = scratch.as<S>();
    for (std::int64_t g = 0; g < p.groups; ++g)
      scan_ssd_share<T>(SsdViews<T>(p, tensors), {0, g, 1, {0, p.group_heads()}}, tensors["h_last"].as<S>(),
                        {room, open.data()}, room + packed, isa);
  });
  for (const char* name : {"out", "h_last"}) {
    double scale = 0.0, error = 0.0;
    for (std::int64_t i = 0; i < want[name].count(); ++i) {
      scale = std::max(scale, std::abs(want[name].at(i)));
      error = std::fmax(error, std::abs(tensors[name].at(i) - want[name].at(i)));
      ASSERT_FALSE(std::isnan(tensors[name].at(i))) << name << "[" << i << "]";
    }
    EXPECT_LE(error / scale, op.tolerance(p, name)) << name;
  }
}

std::string isa_name(Isa isa) {
  return isa == Isa::plain ? "plain" : isa == Isa::avx2 ? "avx2" : "avx512";
}
INSTANTIATE_TEST_SUITE_P(InstructionSets, SsdTile,
                         ::testing::Combine(::testing::ValuesIn(kAllIsas), ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return isa_name(std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

TEST(SsdChunked, GivesTheSameBitsForAnyNumberOfThreads) {
  const Op& op = support::find_op("ssd");
  const Kernel& kernel = support::find_kernel("scan/ssd_chunked_cpu");
  const auto one = op.parse(params_with(op, shape("fp32")));
  const Tensors inputs = support::make_inputs(op, *one, 2);
  const Tensors first = run_on_threads(kernel, *one, inputs);
  for (const std::int64_t threads : {1, 2, 3, 5}) {  // 5: heads are cut into strips
    const auto problem = op.parse(params_with(op, shape("fp32", threads)));
    const Tensors again = run_on_threads(kernel, *problem, inputs);
    for (const char* name : {"out", "h_last"})
      EXPECT_EQ(
          std::memcmp(first[name].data(), again[name].data(), static_cast<std::size_t>(first[name].bytes())),
          0)
          << name << " at " << threads << " threads";
  }
}

Decays<double> equal_steps(std::int64_t count, double d) {
  Decays<double> decays{};
  decays.steps = count;
  std::fill_n(decays.d, count, d);
  return decays;
}

TEST(SsdDecays, CutABlockBeforeTheSumPassesTheSpan) {
  Decays<double> decays = equal_steps(20, 1.0);
  double open = 0.0;
  cut_blocks(decays, -4.0, open);
  // The first step is in no sum and eight more reach 32, so blocks are nine steps long.
  ASSERT_EQ(decays.blocks, 3);
  EXPECT_EQ(decays.begin[1], 9);
  EXPECT_EQ(decays.begin[2], 18);
  EXPECT_EQ(decays.begin[3], 20);
  EXPECT_EQ(decays.sum[8], -32.0);
  EXPECT_DOUBLE_EQ(decays.enter[0], std::exp(-4.0));
  EXPECT_DOUBLE_EQ(decays.enter[1], std::exp(-36.0)) << "what block 0 left open, and the step itself";
  EXPECT_EQ(open, -4.0) << "one step after the first of the last block";
}

TEST(SsdDecays, OfOneLongStepStayOutOfTheSums) {
  Decays<double> decays = equal_steps(8, 0.5);
  decays.d[5] = 1e6;
  double open = 0.0;
  cut_blocks(decays, -1.0, open);
  ASSERT_EQ(decays.blocks, 2);
  EXPECT_EQ(decays.begin[1], 5);
  EXPECT_EQ(decays.enter[1], 0.0);
  EXPECT_EQ(decays.sum[5], 0.0);
  EXPECT_EQ(decays.sum[7], -1.0);
}

}  // namespace
}  // namespace bench::scan
