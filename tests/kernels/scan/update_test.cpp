// SPDX-License-Identifier: Apache-2.0
// The ssm_update op and every kernel of it: the oracle on a step worked by hand and against the scans'
// oracles of one step, the cost model, and the kernels against the oracle.
#include "kernels/scan/update.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <tuple>

#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::scan {
namespace {

const Op& op() {
  return support::find_op("ssm_update");
}

struct Size {
  std::int64_t batch, heads, head_dim, state, groups, threads;
};

constexpr Size kSizes[] = {
    {1, 1, 1, 1, 1, 1},     // the smallest
    {1, 1, 15, 15, 1, 1},   // a vector - 1
    {2, 2, 16, 16, 1, 2},   // a vector
    {1, 2, 17, 17, 2, 2},   // a vector + 1, a group for every head
    {3, 6, 5, 7, 3, 4},     // odd everywhere, two heads a group
    {1, 3, 64, 128, 1, 5},  // the shape of models; more threads than pairs
    {9, 32, 64, 64, 1, 2},  // 4.5 MB of states: written past the caches
    {2, 1, 1100, 6, 1, 3},  // as Mamba-1: one head of many channels
};

Params params_of(const Size& size, bool tied, const std::string& dtype) {
  return {{"batch", size.batch}, {"heads", size.heads},   {"head_dim", size.head_dim},
          {"state", size.state}, {"groups", size.groups}, {"threads", size.threads},
          {"tied", tied},        {"dtype", dtype}};
}

/// States in a cache of `slots`, of which the last `padding` entries have none.
Params cached(std::int64_t batch, std::int64_t slots, std::int64_t padding, bool tied, const std::string& dtype) {
  Params params = params_of({batch, 4, 20, 18, 2, 3}, tied, dtype);
  params["slots"] = slots;
  params["padding"] = padding;
  return params;
}

TEST(UpdateReference, OfOneStateIsTheFormula) {
  const auto p = op().parse(params_with(op(), params_of({1, 1, 1, 1, 1, 1}, true, "fp64")));
  const std::map<std::string, double> values{{"x", 2.0},  {"dt", 0.3}, {"dt_bias", 0.2},
                                             {"A", -1.5}, {"B", 0.7},  {"C", -0.4},
                                             {"D", 3.0},  {"z", 1.2},  {"h0", 5.0}};
  Tensors in;
  for (const TensorSpec& spec : op().inputs(*p))
    in.add(spec.name, Tensor(DType::f64, spec.shape)).set(0, values.at(spec.name));
  const Tensors out = op().reference(*p, in, row_range(0, 1));
  const double d = std::log(1.0 + std::exp(0.5)), h = std::exp(-1.5 * d) * 5.0 + d * 2.0 * 0.7;
  EXPECT_NEAR(out["h_last"].at(0), h, 1e-15);
  EXPECT_NEAR(out["out"].at(0), (-0.4 * h + 6.0) * 1.2 / (1.0 + std::exp(-1.2)), 1e-15);
}

/// The inputs of another op of one step, by name and in its shapes.
Tensors inputs_of(const Op& other, const Problem& problem, const Tensors& from) {
  Tensors in;
  for (const TensorSpec& spec : other.inputs(problem)) {
    const std::string& n = spec.name;
    const Tensor& source = from[n == "u" ? "x" : n == "delta" ? "dt" : n == "delta_bias" ? "dt_bias" : n];
    Tensor& to = in.add(n, Tensor(DType::f64, spec.shape));
    for (std::int64_t i = 0; i < to.count(); ++i) to.set(i, source.at(i));
  }
  return in;
}

TEST(UpdateReference, TiedIsAStepOfSsdThroughTheGate) {
  const Size size{2, 4, 3, 5, 2, 1};
  const auto p = op().parse(params_with(op(), params_of(size, true, "fp64")));
  const Tensors in = support::make_inputs(op(), *p, 4);
  const Op& ssd = support::find_op("ssd");
  Params params = params_of(size, true, "fp64");
  params.erase("tied");
  params["seq"] = std::int64_t{1};
  const auto step = ssd.parse(params_with(ssd, params));
  const Tensors got = op().reference(*p, in, row_range(0, 2));
  const Tensors want = ssd.reference(*step, inputs_of(ssd, *step, in), row_range(0, 1));
  for (std::int64_t i = 0; i < want["h_last"].count(); ++i)
    EXPECT_DOUBLE_EQ(got["h_last"].at(i), want["h_last"].at(i));
  for (std::int64_t i = 0; i < want["out"].count(); ++i) {
    const double z = in["z"].at(i);
    EXPECT_NEAR(got["out"].at(i), want["out"].at(i) * z / (1.0 + std::exp(-z)), 1e-14);
  }
}

TEST(UpdateReference, UntiedIsAStepOfTheSelectiveScan) {
  const auto p = op().parse(params_with(op(), params_of({2, 1, 4, 3, 1, 1}, false, "fp64")));
  const Tensors in = support::make_inputs(op(), *p, 4);
  const Op& selective = support::find_op("selective");
  const auto step = selective.parse(params_with(selective, {{"batch", std::int64_t{2}},
                                                            {"seq", std::int64_t{1}},
                                                            {"channels", std::int64_t{4}},
                                                            {"state", std::int64_t{3}},
                                                            {"dtype", std::string("fp64")}}));
  const Tensors got = op().reference(*p, in, row_range(0, 2));
  const Tensors want = selective.reference(*step, inputs_of(selective, *step, in), row_range(0, 1));
  for (const char* name : {"out", "h_last"})
    for (std::int64_t i = 0; i < want[name].count(); ++i)
      EXPECT_NEAR(got[name].at(i), want[name].at(i), 1e-14) << name;
}

TEST(UpdateOp, CostsWhatItsTensorsWeigh) {
  for (const bool tied : {true, false}) {
    for (const std::string& dtype : all_dtypes()) {
      const auto p = op().parse(params_with(op(), params_of({2, 6, 7, 3, 2, 1}, tied, dtype)));
      EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << dtype;
      EXPECT_EQ(op().cost(*p).flops, (tied ? 5.0 : 6.0) * 2 * 6 * 7 * 3);
    }
  }
}

TEST(UpdateOp, NamesTheParameterThatIsOutOfRange) {
  for (const char* name : {"batch", "heads", "head_dim", "state", "groups"})
    EXPECT_THROW(op().parse(params_with(op(), {{name, std::int64_t{0}}})), Error) << name;
  EXPECT_THROW(op().parse(params_with(op(), {{"groups", std::int64_t{3}}})), Error);
  EXPECT_THROW(op().parse(params_with(op(), {{"pass", std::string("bwd")}})), Error);
  EXPECT_THROW(op().parse(params_with(op(), cached(5, 2, 2, true, "fp32"))), Error) << "three entries, two slots";
  EXPECT_THROW(op().parse(params_with(op(), cached(5, 0, 2, true, "fp32"))), Error) << "padding without a cache";
  EXPECT_THROW(op().parse(params_with(op(), cached(5, 9, 6, true, "fp32"))), Error) << "more padding than entries";
}

TEST(UpdateReference, TakesEachStateFromItsSlotAndNoneForPadding) {
  const auto p = op().parse(params_with(op(), cached(5, 9, 2, true, "fp64")));
  const auto plain = op().parse(params_with(op(), params_of({5, 4, 20, 18, 2, 1}, true, "fp64")));
  const auto& slots = problem_as<UpdateProblem>(*p).state_batch_indices;
  ASSERT_EQ(op().tables(*p).at(0).name, "state_batch_indices");
  ASSERT_EQ(slots.size(), 5U);
  const Tensors in = support::make_inputs(op(), *p, 4);
  Tensors moved;
  for (const auto& [name, tensor] : in.all())
    if (name != "h0") moved.add(name, support::take(tensor, -1, row_range(0, 1)));
  const std::vector<std::int64_t> order{slots[0], slots[1], slots[2], 0, 0};
  moved.add("h0", support::take(in["h0"], 0, order));
  const Tensors got = op().reference(*p, in, row_range(0, 5)), want = op().reference(*plain, moved, row_range(0, 5));
  for (const char* name : {"out", "h_last"}) {
    const std::int64_t live = want[name].count() / 5 * 3;
    for (std::int64_t i = 0; i < want[name].count(); ++i) EXPECT_EQ(got[name].at(i), i < live ? want[name].at(i) : 0.0) << name;
  }
}

TEST(UpdateOp, CountsOfACacheWhatEntriesHave) {
  const auto cost = [](const Params& params) { return op().cost(*op().parse(params_with(op(), params))); };
  const Cost three = cost(cached(3, 9, 0, true, "bf16")), padded = cost(cached(5, 9, 2, true, "bf16"));
  EXPECT_EQ(padded.flops, three.flops);
  EXPECT_EQ(padded.exps, three.exps);
  EXPECT_EQ(padded.bytes - three.bytes, 2.0 * 4 * 20 * (2 + 18 * 4)) << "the zeros of two entries, out and h_last";
}

void expect_like_oracle_everywhere(const Kernel& kernel, const std::string& dtype) {
  for (const bool tied : {true, false}) {
    for (const Size& size : kSizes) expect_like_oracle(kernel, params_of(size, tied, dtype));
    expect_like_oracle(kernel, cached(5, 5, 0, tied, dtype));   // all slots taken, in another order
    expect_like_oracle(kernel, cached(5, 40, 2, tied, dtype));  // most slots nobody's
    expect_like_oracle(kernel, cached(3, 1, 3, tied, dtype));   // nothing but padding
    const Params odd = params_of({3, 4, 20, 18, 2, 2}, tied, dtype);
    expect_like_oracle(kernel, odd, [](Tensors& in) {  // around softplus' threshold, and far above it
      fill(in, "dt", [](std::int64_t i) { return i % 3 == 0 ? 1000.0 : 18.0 + static_cast<double>(i % 9); });
    });
    expect_like_oracle(kernel, odd, [](Tensors& in) {  // no step at all: the state stays
      fill(in, "dt", [](std::int64_t) { return -100.0; });
    });
    expect_like_oracle(kernel, odd, [](Tensors& in) {  // gates at their ends, beside open ones
      fill(in, "z", [](std::int64_t i) { return i % 3 == 0 ? -200.0 : i % 3 == 1 ? 0.0 : 50.0; });
    });
  }
}

class UpdateConformance : public ::testing::TestWithParam<std::tuple<const Kernel*, std::string>> {};

TEST_P(UpdateConformance, EqualsTheOracle) {
  expect_like_oracle_everywhere(*std::get<0>(GetParam()), std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Kernels, UpdateConformance,
                         ::testing::Combine(::testing::ValuesIn(kernels_of("ssm_update")),
                                            ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param)) + "_" + std::get<1>(which.param);
                         });

TEST(UpdateConformance, GivesTheSameBitsForAnyNumberOfThreads) {
  const Kernel& kernel = support::find_kernel("scan/update_cpu");
  const auto one = op().parse(params_with(op(), params_of({3, 5, 20, 40, 1, 1}, true, "fp32")));
  const Tensors in = support::make_inputs(op(), *one, 5);
  const Tensors first = run_on_threads(kernel, *one, in);
  for (const std::int64_t threads : {2, 3, 20}) {
    const auto many = op().parse(params_with(op(), params_of({3, 5, 20, 40, 1, threads}, true, "fp32")));
    const Tensors out = run_on_threads(kernel, *many, in);
    for (const auto& [name, tensor] : first.all())
      EXPECT_EQ(std::memcmp(tensor.data(), out[name].data(), static_cast<std::size_t>(tensor.bytes())), 0)
          << name;
  }
}

TEST(UpdateTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  for (const std::string& dtype : all_dtypes())
    expect_like_oracle_everywhere(support::find_kernel("scan/update_torch"), dtype);
}

}  // namespace
}  // namespace bench::scan
