// SPDX-License-Identifier: Apache-2.0
// Packed sequences in all three scans: the oracles against each sequence alone and against differences, the cost models,
// and every kernel against the oracle.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/scan/segments.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/torch_plugin.hpp"

namespace bench::scan {
namespace {

/// A problem with packed sequences; for kernels that cut the steps, how many threads are to cut them.
struct Packed {
  std::int64_t batch, seq, segments, threads;
};

Params params_of(const std::string& op, const Packed& packed, const std::string& pass, const std::string& dtype) {
  Params params{{"batch", packed.batch},     {"seq", packed.seq}, {"segments", packed.segments},
                {"threads", packed.threads}, {"pass", pass},      {"dtype", dtype}};
  const auto set = [&](const char* name, std::int64_t value) { params[name] = value; };
  if (op == "recurrence") set("channels", 21);
  if (op == "selective") set("channels", 20), set("state", 5), set("groups", 2);
  if (op == "ssd") set("heads", 4), set("head_dim", 9), set("state", 5), set("groups", 2);
  return params;
}

const std::vector<std::string>& ops() {
  static const std::vector<std::string> names{"recurrence", "selective", "ssd"};
  return names;
}

/// One of the sequences as a problem of its own, from the inputs of all.
Tensors inputs_of(const Op& op, const Problem& whole, const Tensors& in, Range steps) {
  const std::int64_t seq = problem_as<ScanProblem>(whole).seq;
  Tensors own;
  for (const TensorSpec& spec : op.inputs(whole)) {
    Tensor& tensor = own.add(spec.name, support::take(in[spec.name], spec.sequence_axis, row_range(steps.begin, steps.end)));
    const bool empty = (spec.name == "h0" && steps.begin > 0) || (spec.name == "dh_last" && steps.end < seq);
    for (std::int64_t i = 0; empty && i < tensor.count(); ++i) tensor.set(i, 0.0);
  }
  return own;
}

/// What the sequences, each alone, put together: steps side by side, sums over steps added up, h_last of the last and dh0
/// of the first.
void expect_each_alone(const Op& op, const std::string& pass) {
  const auto whole = op.parse(params_with(op, params_of(op.name, {2, 37, 6, 1}, pass, "fp64")));
  const auto& p = problem_as<ScanProblem>(*whole);
  const Tensors in = support::make_inputs(op, *whole, 3);
  const Tensors got = op.reference(*whole, in, row_range(0, p.seq));
  std::map<std::string, std::vector<double>> sums;
  for (Range steps{}; steps.end < p.seq;) {
    steps = p.segments().piece_at(steps.end, p.seq, p.seq);
    Packed one{2, steps.size(), 1, 1};
    const auto own = op.parse(params_with(op, params_of(op.name, one, pass, "fp64")));
    const Tensors want = op.reference(*own, inputs_of(op, *whole, in, steps), row_range(0, steps.size()));
    for (const TensorSpec& spec : op.outputs(*whole)) {
      const Tensor& alone = want[spec.name];
      const bool carried = (spec.name == "h_last" && steps.end < p.seq) || (spec.name == "dh0" && steps.begin > 0);
      if (carried) continue;
      std::vector<double>& sum = sums[spec.name];
      sum.resize(static_cast<std::size_t>(alone.count()));
      const Tensor part = support::take(got[spec.name], spec.sequence_axis, row_range(steps.begin, steps.end));
      for (std::int64_t i = 0; i < alone.count(); ++i) {
        if (spec.sequence_axis >= 0) {
          ASSERT_DOUBLE_EQ(part.at(i), alone.at(i)) << spec.name << "[" << i << "] from step " << steps.begin;
        }
        sum[static_cast<std::size_t>(i)] += alone.at(i);
      }
    }
  }
  for (const TensorSpec& spec : op.outputs(*whole))
    for (std::int64_t i = 0; spec.sequence_axis < 0 && i < got[spec.name].count(); ++i)
      EXPECT_NEAR(got[spec.name].at(i), sums[spec.name][static_cast<std::size_t>(i)], 1e-11) << spec.name;
}

TEST(PackedSequences, AreForTheOracleEachASequenceOfItsOwn) {
  for (const std::string& name : ops())
    for (const char* pass : {"fwd", "bwd"}) {
      SCOPED_TRACE(name + " " + pass);
      expect_each_alone(support::find_op(name), pass);
    }
}

// As the ops' own tests say of a single sequence: differences over +-1e-4 are off by some 1e-8 of the third derivatives.
TEST(PackedSequences, HaveGradientsThatAreDifferencesOfTheForwardOracle) {
  for (const std::string& name : ops()) {
    SCOPED_TRACE(name);
    const Op& op = support::find_op(name);
    const auto forward = op.parse(params_with(op, params_of(name, {1, 7, 3, 1}, "fwd", "fp64")));
    const auto backward = op.parse(params_with(op, params_of(name, {1, 7, 3, 1}, "bwd", "fp64")));
    const auto rows = row_range(0, 7);
    Tensors in = support::make_inputs(op, *forward, 3), back = support::make_inputs(op, *backward, 3);
    const char* const out = name == "recurrence" ? "h" : "out";
    const char* const dout = name == "recurrence" ? "dh" : "dout";
    if (name == "recurrence") {  // the saved result is an input
      const Tensors saved = op.reference(*forward, in, rows);
      fill(back, "h", [&](std::int64_t i) { return saved["h"].at(i); });
    }
    const Tensors gradients = op.reference(*backward, back, rows);
    const auto loss = [&] {
      const Tensors now = op.reference(*forward, in, rows);
      return dot(back[dout], now[out]) + dot(back["dh_last"], now["h_last"]);
    };
    for (const TensorSpec& spec : op.inputs(*forward)) expect_gradient(in, spec.name, gradients["d" + spec.name], loss, 1e-4, 2e-7);
  }
}

TEST(PackedSequences, CostNoDecayWhereTheyBegin) {
  const auto cost = [](const std::string& name, const std::string& pass, std::int64_t segments) {
    const Op& op = support::find_op(name);
    return op.cost(*op.parse(params_with(op, params_of(name, {2, 30, segments, 1}, pass, "fp32"))));
  };
  struct Saved {
    const char *op, *pass;
    double flops, exps;  // by each of the 2 x 3 starts
  };
  const Saved kSaved[] = {{"recurrence", "fwd", 2.0 * 21, 0},           {"recurrence", "bwd", 3.0 * 21, 0},
                          {"selective", "fwd", 3.0 * 20 * 5, 20 * 5},   {"selective", "bwd", 10.0 * 20 * 5, 20 * 5},
                          {"ssd", "fwd", 4.0 * 9 * 5, 4},               {"ssd", "bwd", 2.0 * 4 * 9 * 5, 4}};
  for (const Saved& saved : kSaved) {
    SCOPED_TRACE(std::string(saved.op) + " " + saved.pass);
    const Cost one = cost(saved.op, saved.pass, 1), four = cost(saved.op, saved.pass, 4);
    EXPECT_EQ(one.flops - four.flops, 6.0 * saved.flops);
    EXPECT_EQ(one.exps - four.exps, 6.0 * saved.exps);
    EXPECT_EQ(one.bytes, four.bytes) << "every tensor once";
  }
}

constexpr Packed kPacked[] = {
    {1, 2, 2, 1},      // the smallest: two sequences of one step
    {2, 40, 40, 3},    // nothing but sequences of one step
    {1, 130, 130, 2},  // the same, beyond two chunks of 64 steps
    {1, 131, 7, 1},    // odd lengths, across every tile and chunk
    {2, 131, 40, 2},   // short ones, many in a tile of 16 steps, and in a vector of them
    {1, 1000, 3, 4},   // long ones; threads cut the steps, and some parts hold no start
    {1, 1000, 60, 4},  // some in every part
    {3, 65, 2, 2},     // a chunk of 64 steps + 1
};

/// Decays that would leave all of the state, or make its carries infinite; tensors that an op does not have are left alone.
const std::vector<std::pair<const char*, Spoil>>& hard_values() {
  static const std::vector<std::pair<const char*, Spoil>> list{
      {"as drawn", nullptr},
      {"no decay at all",
       [](Tensors& in) {
         if (in.has("A")) fill(in, "A", [](std::int64_t) { return 0.0; });
         if (in.has("a")) fill(in, "a", [](std::int64_t) { return 1.0; });
       }},
      {"the ends are large",  // they must not reach another sequence
       [](Tensors& in) {
         for (const char* name : {"h0", "dh_last"})
           if (in.has(name)) fill(in, name, [](std::int64_t) { return 100.0; });
       }},
  };
  return list;
}

void check(const Kernel& kernel, const std::string& pass, const std::string& dtype, std::int64_t ranks) {
  for (const Packed& packed : kPacked) {
    Params params = params_of(kernel.op, packed, pass, dtype);
    params["ranks"] = ranks;
    for (const auto& [what, spoil] : hard_values()) {
      SCOPED_TRACE(what);
      expect_like_oracle(kernel, params, spoil);
      if (kernel.op == "recurrence") {
        Params last = params;
        last["time_axis"] = std::string("last");
        expect_like_oracle(kernel, last, spoil);
      }
    }
  }
}

/// All kernels of the scans with their pass.
std::vector<std::pair<const Kernel*, std::string>> all_kernels(bool only_collective) {
  std::vector<std::pair<const Kernel*, std::string>> kernels;
  for (const std::string& op : ops())
    for (const char* pass : {"fwd", "bwd"})
      for (const Kernel* kernel : kernels_of(op, only_collective, pass)) kernels.emplace_back(kernel, pass);
  return kernels;
}

class PackedConformance
    : public ::testing::TestWithParam<std::tuple<std::pair<const Kernel*, std::string>, std::string>> {};

TEST_P(PackedConformance, EqualsTheOracle) {
  const auto& [kernel, dtype] = GetParam();
  check(*kernel.first, kernel.second, dtype, 1);
}

INSTANTIATE_TEST_SUITE_P(Kernels, PackedConformance,
                         ::testing::Combine(::testing::ValuesIn(all_kernels(false)), ::testing::ValuesIn(all_dtypes())),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param).first) + "_" + std::get<1>(which.param);
                         });

class PackedAcrossRanks : public ::testing::TestWithParam<std::tuple<std::pair<const Kernel*, std::string>, int>> {};

TEST_P(PackedAcrossRanks, EqualsTheOracle) {
  const auto& [kernel, ranks] = GetParam();
  for (const char* dtype : {"fp64", "fp32", "bf16"}) check(*kernel.first, kernel.second, dtype, ranks);
}

INSTANTIATE_TEST_SUITE_P(Kernels, PackedAcrossRanks,
                         ::testing::Combine(::testing::ValuesIn(all_kernels(true)), ::testing::Values(3, 8)),
                         [](const auto& which) {
                           return short_name(*std::get<0>(which.param).first) + "_P" +
                                  std::to_string(std::get<1>(which.param));
                         });

// 4 MB and more of outputs are written past the caches, line by line from wherever a sequence begins.
TEST(PackedSequences, HoldForOutputsLargerThanTheCaches) {
  for (const char* pass : {"fwd", "bwd"})
    for (const Kernel* kernel : kernels_of("recurrence", false, pass))
      for (const char* axis : {"middle", "last"})
        expect_like_oracle(*kernel, {{"seq", std::int64_t{1104}}, {"channels", std::int64_t{1040}}, {"threads", std::int64_t{2}},
                                     {"segments", std::int64_t{9}}, {"pass", std::string(pass)}, {"time_axis", std::string(axis)}});
}

// One test, not one per case: loading LibTorch takes longer than all of them.
TEST(PackedTorch, EqualsTheOracle) {
  const std::string missing = support::load_torch_plugin();
  if (!missing.empty()) GTEST_SKIP() << missing;
  int tested = 0;
  for (const auto& [kernel, pass] : all_kernels(false)) {
    if (kernel->backend != Backend::torch) continue;
    ++tested;
    for (const std::string& dtype : all_dtypes()) check(*kernel, pass, dtype, 1);
    const Op& op = support::find_op(kernel->op);
    if (op.name == "ssd") {
      EXPECT_EQ(supports_case(*kernel, *op.parse(params_with(op, params_of("ssd", kPacked[0], pass, "fp32")))), "") << kernel->name;
    }
  }
  EXPECT_GE(tested, 6);
}

}  // namespace
}  // namespace bench::scan
