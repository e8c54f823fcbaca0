// SPDX-License-Identifier: Apache-2.0
// The oracle by hand where rows see some keys only, where keys are not as many as queries and where scores are capped, its
// gradient by differences; and the parameters that say so.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/attention/attention.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

constexpr double kLogZero = -std::numeric_limits<double>::infinity();

AttentionProblem one_column(std::int64_t seq, bool causal) {
  AttentionProblem p;
  p.heads = p.kv_heads = p.head_dim = 1;
  p.seq = seq;
  p.causal = causal;
  p.dtype = DType::f64;
  return p;
}

std::vector<std::int64_t> rows_below(std::int64_t end) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(end));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return rows;
}

/// q and k are 0, so weights are equal; v of key j is j.
Tensors averages(const AttentionProblem& p) {
  Tensors inputs;
  for (const TensorSpec& spec : support::find_op("attention").inputs(p)) {
    Tensor& t = inputs.add(spec.name, Tensor(DType::f64, spec.shape));
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, spec.name == "v" ? static_cast<double>(i) : 0.0);
  }
  return inputs;
}

TEST(AttentionOracle, AveragesWhatARowSees) {
  // Equal keys, so the weights are equal; v of position j is j. B 2, causal, window 2, one key in sequence 1.
  AttentionProblem p = one_column(4, true);
  p.batch = 2;
  p.window = 2;
  p.key_lengths = {4, 1};
  Tensors inputs;
  for (const char* name : {"q", "k", "v"}) {
    Tensor& t = inputs.add(name, Tensor(DType::f64, {2, 1, 4, 1}));
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, name[0] == 'v' ? static_cast<double>(i % 4) : 0.0);
  }
  const std::vector<std::int64_t> rows{0, 1, 2, 3};
  const Tensors outputs = support::find_op("attention").reference(p, inputs, rows);
  const double out[] = {0.0, 0.5, 1.5, 2.5, 0.0, 0.0, 0.0, 0.0};
  const double lse[] = {0.0, std::log(2.0), std::log(2.0), std::log(2.0), 0.0, 0.0, kLogZero, kLogZero};
  for (std::int64_t i = 0; i < 8; ++i) {
    EXPECT_DOUBLE_EQ(outputs["out"].at(i), out[i]) << i;
    EXPECT_EQ(outputs["lse"].at(i), lse[i]) << i;
  }
}

TEST(AttentionOracle, AlignsTheLastQueryWithTheLastKey) {
  AttentionProblem p = one_column(2, true);
  p.kv_seq = 4;
  const Tensors later = support::find_op("attention").reference(p, averages(p), rows_below(2));
  EXPECT_DOUBLE_EQ(later["out"].at(0), 1.0) << "keys 0, 1, 2";
  EXPECT_DOUBLE_EQ(later["out"].at(1), 1.5) << "all four";
  EXPECT_DOUBLE_EQ(later["lse"].at(1), std::log(4.0));
  p.seq = 4;
  p.kv_seq = 2;
  const Tensors earlier = support::find_op("attention").reference(p, averages(p), rows_below(4));
  const double out[] = {0.0, 0.0, 0.0, 0.5}, lse[] = {kLogZero, kLogZero, 0.0, std::log(2.0)};
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(earlier["out"].at(i), out[i]) << i;
    EXPECT_EQ(earlier["lse"].at(i), lse[i]) << i;
  }
}

TEST(AttentionOracle, KeepsPackedSequencesApart) {
  AttentionProblem p = one_column(5, false);
  p.starts = {2, 3};
  const Tensors outputs = support::find_op("attention").reference(p, averages(p), rows_below(5));
  const double out[] = {0.5, 0.5, 2.0, 3.5, 3.5};
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_DOUBLE_EQ(outputs["out"].at(i), out[i]) << i;
}

TEST(AttentionOracle, CapsScoresBeforeSoftmax) {
  AttentionProblem p = one_column(2, false);
  p.softcap = 2;
  Tensors inputs = averages(p);
  inputs["q"].set(0, 1.0);
  inputs["k"].set(1, 3.0);  // scores of row 0: 0 and 3, which becomes 2 tanh(1.5)
  const Tensors outputs = support::find_op("attention").reference(p, inputs, rows_below(2));
  const double capped = 2.0 * std::tanh(1.5);
  EXPECT_DOUBLE_EQ(outputs["lse"].at(0), std::log(1.0 + std::exp(capped)));
  EXPECT_DOUBLE_EQ(outputs["out"].at(0), std::exp(capped) / (1.0 + std::exp(capped)));
  EXPECT_DOUBLE_EQ(outputs["lse"].at(1), std::log(2.0)) << "equal scores stay equal";
}

/// sum(dout * out) of the forward oracle.
double loss(AttentionProblem p, const Tensors& inputs) {
  p.pass = "fwd";
  const Tensors outputs = support::find_op("attention").reference(p, inputs, rows_below(p.seq));
  double sum = 0.0;
  for (std::int64_t i = 0; i < outputs["out"].count(); ++i) sum += inputs["dout"].at(i) * outputs["out"].at(i);
  return sum;
}

TEST(AttentionOracle, HasTheGradientThatDifferencesShow) {
  const Op& op = support::find_op("attention");
  AttentionProblem capped = one_column(5, true), longer = capped, shorter = capped, packed = capped;
  capped.softcap = 1;
  longer.kv_seq = 8;
  longer.softcap = 2;
  shorter.kv_seq = 3;
  packed.starts = {1, 3};
  for (AttentionProblem p : {capped, longer, shorter, packed}) {
    p.pass = "bwd";
    p.head_dim = 2;
    Tensors inputs = support::make_inputs(op, p, 3);
    const Tensors gradients = op.reference(p, inputs, rows_below(p.seq));
    for (const char* name : {"q", "k", "v"}) {
      Tensor& t = inputs[name];
      ASSERT_EQ(gradients[concat("d", name)].shape(), t.shape());
      for (std::int64_t i = 0; i < t.count(); ++i) {
        constexpr double kStep = 1e-5;  // its square, times a third derivative of order 1, is far below 1e-8
        const double x = t.at(i);
        t.set(i, x + kStep);
        const double above = loss(p, inputs);
        t.set(i, x - kStep);
        const double below = loss(p, inputs);
        t.set(i, x);
        EXPECT_NEAR(gradients[concat("d", name)].at(i), (above - below) / (2.0 * kStep), 1e-8) << name << ' ' << i << " Lk " << p.kv_length() << " cap " << p.softcap;
      }
    }
  }
}

TEST(AttentionParameters, ParametersOutOfRangeAreUsageErrors) {
  const Op& op = support::find_op("attention");
  Params params;
  for (const ParamSpec& spec : common_params()) params[spec.name] = spec.fallback;
  for (const ParamSpec& spec : op.params) params[spec.name] = spec.fallback;
  Params ragged = params, negative = params, unknown = params;
  ragged["key_lengths"] = std::string("ragged");
  ragged["batch"] = std::int64_t{5};
  const auto p = op.parse(ragged);
  EXPECT_EQ(problem_as<AttentionProblem>(*p).key_lengths.size(), 5U);
  EXPECT_EQ(problem_as<AttentionProblem>(*p).key_lengths[0], 1024) << "the first is full";
  negative["window"] = std::int64_t{-1};
  unknown["key_lengths"] = std::string("some");
  for (const Params& wrong : {negative, unknown}) EXPECT_THROW(op.parse(wrong), Error);
  for (const char* name : {"kv_seq", "softcap", "segments"}) {
    Params below = params;
    below[name] = std::int64_t{-1};
    EXPECT_THROW(op.parse(below), Error) << name;
  }
  Params packed = params;
  packed["segments"] = std::int64_t{3};
  EXPECT_EQ(problem_as<AttentionProblem>(*op.parse(packed)).starts.size(), 2U);
  EXPECT_EQ(op.tables(*op.parse(packed)).at(0).name, "cu_seqlens");
  packed["kv_seq"] = std::int64_t{1024};
  EXPECT_NO_THROW(op.parse(packed)) << "as many keys as queries";
  packed["kv_seq"] = std::int64_t{1000};
  EXPECT_THROW(op.parse(packed), Error);
  packed["kv_seq"] = std::int64_t{0};
  packed["segments"] = std::int64_t{1025};
  EXPECT_THROW(op.parse(packed), Error);
}

TEST(AttentionParameters, AKernelSaysWhichOfThemItDoesNotKnow) {
  AttentionProblem p = one_column(8, true);
  EXPECT_EQ(supports_no_mask(p), "");
  p.softcap = 50;
  p.kv_seq = 9;
  EXPECT_EQ(supports_no_mask(p), "as many keys as queries only, no capped scores in this kernel");
  EXPECT_EQ(supports_only(p, {Feature::kv_seq}), "no capped scores in this kernel");
  EXPECT_EQ(supports_only(p, {Feature::kv_seq, Feature::softcap}), "");
}

TEST(AttentionParameters, KeysThatNobodySeesAreNotBytes) {
  const Op& op = support::find_op("attention");
  AttentionProblem p = one_column(2, true), part = p;
  p.kv_seq = 10;
  part.kv_seq = 10;
  part.window = 3;  // keys 6..9 are seen
  EXPECT_EQ(op.cost(p).bytes - op.cost(part).bytes, 2.0 * 6 * 8);
  EXPECT_EQ(op.cost(part).exps, 6.0);
  part.softcap = 5;
  EXPECT_EQ(op.cost(part).exps, 12.0) << "a hyperbolic tangent each";
}

}  // namespace
}  // namespace bench::attention
