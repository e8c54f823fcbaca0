// SPDX-License-Identifier: Apache-2.0
// The backward pass with all scores written out, its bodies run on the host thread by thread and held against the fp64 oracle.
#include <gtest/gtest.h>

#include <limits>
#include <type_traits>

#include "kernels/attention/naive_backward.hpp"
#include "kernels/cuda/gemm_fma.hpp"
#include "kernels/cuda/gemm_mma.hpp"
#include "tests/kernels/attention/bwd_host_launch.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::attention {
namespace {

using cuda::GemmForm;
using support::HostMachine;

template <class T, class Out, GemmForm kForm, int kColumns>
void product(const cuda::GemmJob& job) {
  using Body = std::conditional_t<std::is_same_v<T, float>, cuda::GemmFma<HostMachine, kForm, kColumns>, cuda::GemmMma<HostMachine, T, Out, kForm, kColumns>>;
  support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, 1, [&] { Body(job, {}).run(); });
}

template <class T, int kRowThreads>
void launch(const NaiveBackwardJob& job) {
  product<T, float, GemmForm::nt, 128>(scores_product(job.forward));
  product<T, float, GemmForm::nt, 128>(dweights_product(job));
  using Rows = NaiveSoftmaxBackward<HostMachine, T, kRowThreads>;
  support::run_blocks(Rows::blocks(job), Rows::kThreads, Rows::kSharedBytes, 1, [&] { Rows(job).run(); });
  product<T, T, GemmForm::tn, 64>(dv_product(job));
  product<T, T, GemmForm::nn, 64>(dq_product(job));
  product<T, T, GemmForm::tn, 64>(dk_product(job));
}

template <class T, int kRowThreads>
Tensors gradients_of(const Op& op, const AttentionProblem& p, Tensors& given) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  Tensors gradients;
  for (const TensorSpec& spec : op.outputs(p)) poison(gradients.add(spec.name, Tensor(spec.dtype, spec.shape)));
  const auto count = static_cast<std::size_t>(p.batch * p.heads * p.seq * score_pitch(p.kv_length()));
  std::vector<float> scores(count, kNan), dweights(count, kNan);
  std::vector<T> weights(count, store<T>(kNan)), dscores(count, store<T>(kNan));
  const std::vector<std::int32_t> lengths = key_lengths_of(p), bounds = bounds_of(p);
  constexpr bool kInPlace = std::is_same_v<T, float>;
  DeviceJob attention = device_job(p);
  attention.q = given["q"].data();
  attention.k = given["k"].data();
  attention.v = given["v"].data();
  attention.out = given["out"].data();
  attention.lse = given["lse"].as<float>();
  attention.key_lengths = lengths.empty() ? nullptr : lengths.data();
  attention.bounds = bounds.empty() ? nullptr : bounds.data();
  const NaiveJob forward{attention, scores.data(), kInPlace ? static_cast<void*>(scores.data()) : weights.data(), static_cast<int>(score_pitch(p.kv_length()))};
  launch<T, kRowThreads>({forward, given["dout"].data(), dweights.data(), kInPlace ? static_cast<void*>(dweights.data()) : dscores.data(), gradients["dq"].data(),
                          gradients["dk"].data(), gradients["dv"].data(), static_cast<float>(p.scale())});
  return gradients;
}

template <class T, int kRowThreads>
void expect_the_oracles_gradients(const Params& changes) {
  const AttentionProblem p = test::parsed(test::with(changes, "pass", std::string("bwd")));
  const Op& op = support::find_op("attention");
  Tensors given = test::saved_inputs(p);
  const Tensors gradients = gradients_of<T, kRowThreads>(op, p, given);
  const Kernel& any = support::find_kernel("attention/naive_bwd_cpu");  // what is compared: all outputs
  for (const auto& error : support::compare(any, op, p, given, gradients)) EXPECT_LE(error.error, error.tolerance) << error.text();
}

Params in(const std::string& dtype, const Params& changes) { return test::with(changes, "dtype", dtype); }

TEST(NaiveBackwardOnDevice, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 65, 129}) {  // steps of 64 keys, tiles of 128
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      expect_the_oracles_gradients<Bf16, 32>(test::one_head(seq, 64, causal));
      expect_the_oracles_gradients<float, 32>(in("fp32", test::one_head(seq, 64, causal)));
    }
}

TEST(NaiveBackwardOnDevice, TakesEveryHeadDimensionAndHalfPrecision) {
  for (const std::int64_t head_dim : {8, 72}) expect_the_oracles_gradients<F16, 32>(in("fp16", test::one_head(70, head_dim, true)));
  for (const std::int64_t head_dim : {1, 65}) expect_the_oracles_gradients<float, 32>(in("fp32", test::one_head(70, head_dim, true)));
}

TEST(NaiveBackwardOnDevice, TakesABlockForALongRow) {
  expect_the_oracles_gradients<Bf16, 256>(test::one_head(130, 16, true));
  expect_the_oracles_gradients<float, 256>(in("fp32", test::one_head(130, 16, false)));
}

TEST(NaiveBackwardOnDevice, KnowsOtherKeysThanQueriesPackedSequencesAndCaps) {
  for (const auto& [seq, keys] : {std::pair<std::int64_t, std::int64_t>{113, 203}, {203, 113}})  // rows of the second see nothing
    expect_the_oracles_gradients<Bf16, 32>(test::with(test::one_head(seq, 64, true), "kv_seq", keys));
  const Params grouped = test::with(test::with(test::with(test::one_head(60, 16, true), "batch", std::int64_t{2}), "heads", std::int64_t{4}), "kv_heads", std::int64_t{2});
  expect_the_oracles_gradients<Bf16, 32>(test::with(grouped, "kv_seq", std::int64_t{90}));
  expect_the_oracles_gradients<Bf16, 32>(test::with(test::one_head(150, 64, true), "segments", std::int64_t{5}));
  const Params capped = test::with(test::with(test::one_head(70, 24, true), "softcap", std::int64_t{3}), "kv_seq", std::int64_t{90});
  expect_the_oracles_gradients<float, 32>(in("fp32", capped));
  expect_the_oracles_gradients<Bf16, 32>(capped);
}

TEST(NaiveBackwardOnDevice, KnowsGroupsBatchesWindowsAndPadding) {
  test::for_masks_and_groups([](const Params& changes) { expect_the_oracles_gradients<Bf16, 32>(changes); });
}

}  // namespace
}  // namespace bench::attention
