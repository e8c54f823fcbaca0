// SPDX-License-Identifier: Apache-2.0
// Attention in three launches, its bodies run on the host thread by thread and held against the fp64 oracle.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/attention/naive_softmax.hpp"
#include "kernels/cuda/gemm_fma.hpp"
#include "kernels/cuda/gemm_mma.hpp"
#include "src/core/rng.hpp"
#include "tests/kernels/attention/host_launch.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::attention {
namespace {

using cuda::EveryTile;
using cuda::GemmForm;
using support::HostMachine;

template <class Body>
void launch(int blocks, std::uint64_t seed, const std::function<void()>& body) {
  support::run_blocks(blocks, Body::kThreads, Body::kSharedBytes, seed, body);
}

template <class T, class Out, GemmForm kForm, int kColumns, class Tiles>
void product(const cuda::GemmJob& job, const Tiles& tiles, std::uint64_t seed) {
  using Body = std::conditional_t<std::is_same_v<T, float>, cuda::GemmFma<HostMachine, kForm, kColumns, Tiles>, cuda::GemmMma<HostMachine, T, Out, kForm, kColumns, Tiles>>;
  launch<Body>(Body::blocks(job), seed, [&] { Body(job, tiles).run(); });
}

/// kRowThreads: 32 for a warp a row, else a block a row.
template <class T, int kRowThreads, bool kSkip>
struct Naive {
  static void launch(const AttentionProblem& p, const DeviceJob& attention, std::uint64_t seed) {
    const auto count = static_cast<std::size_t>(p.batch * p.heads * p.seq * score_pitch(p.seq));
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> scores(count, kNan);
    std::vector<T> weights(std::is_same_v<T, float> ? 0 : count, store<T>(kNan));
    const NaiveJob job{attention, scores.data(), std::is_same_v<T, float> ? static_cast<void*>(scores.data()) : weights.data(), static_cast<int>(score_pitch(p.seq))};
    using Scores = std::conditional_t<kSkip, VisibleScores, EveryTile>;
    using Weights = std::conditional_t<kSkip, VisibleWeights, EveryTile>;
    product<T, float, GemmForm::nt, 128, Scores>(scores_product(job), tiles<Scores>(attention), seed);
    using Softmax = NaiveSoftmax<HostMachine, T, kRowThreads, kSkip>;
    attention::launch<Softmax>(Softmax::blocks(job), seed, [&] { Softmax(job).run(); });
    product<T, T, GemmForm::nn, 64, Weights>(output_product(job), tiles<Weights>(attention), seed);
  }
  template <class Tiles>
  static Tiles tiles(const DeviceJob& job) {
    if constexpr (std::is_same_v<Tiles, EveryTile>)
      return {};
    else
      return {job};
  }
};

Params in(const std::string& dtype, const Params& changes) { return test::with(changes, "dtype", dtype); }

TEST(NaiveOnDevice, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 7, 64, 65, 129}) {  // steps of 64 keys, tiles of 128
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      test::expect_the_oracles_answer<Naive<Bf16, 32, false>>(test::one_head(seq, 64, causal));
      test::expect_the_oracles_answer<Naive<Bf16, 32, true>>(test::one_head(seq, 64, causal));
      test::expect_the_oracles_answer<Naive<float, 32, true>>(in("fp32", test::one_head(seq, 64, causal)));
    }
}

TEST(NaiveOnDevice, SkipsWhatIsAboveTheDiagonalOfManyTiles) { test::expect_the_oracles_answer<Naive<Bf16, 32, true>>(test::one_head(390, 64, true)); }

TEST(NaiveOnDevice, TakesEveryHeadDimension) {
  for (const std::int64_t head_dim : {8, 72, 128}) test::expect_the_oracles_answer<Naive<Bf16, 32, false>>(test::one_head(70, head_dim, true));
  for (const std::int64_t head_dim : {1, 65, 128}) test::expect_the_oracles_answer<Naive<float, 32, false>>(in("fp32", test::one_head(70, head_dim, true)));
}

TEST(NaiveOnDevice, ComputesHalfPrecisionToo) { test::expect_the_oracles_answer<Naive<F16, 32, false>>(in("fp16", test::one_head(130, 64, true))); }

TEST(NaiveOnDevice, KnowsGroupsBatchesWindowsAndPadding) {
  test::for_masks_and_groups([](const Params& changes) { test::expect_the_oracles_answer<Naive<Bf16, 32, true>>(changes); });
}

TEST(NaiveOnDevice, GivesRowsThatSeeNothingZeroAndMinusInfinity) {
  Params changes = test::one_head(150, 16, false);
  changes["batch"] = std::int64_t{3};
  changes["window"] = std::int64_t{2};
  changes["key_lengths"] = std::string("ragged");  // short sequences: rows behind their ends see no key
  test::expect_the_oracles_answer<Naive<Bf16, 32, false>>(changes);
  test::expect_the_oracles_answer<Naive<Bf16, 32, true>>(changes);
}

/// One row of scores against the softmax in fp64.
template <class T, int kRowThreads>
void expect_row_of(int seq, int keys, float scale_of_scores) {
  SCOPED_TRACE(concat("L ", seq, ", keys ", keys));
  const int pitch = static_cast<int>(score_pitch(seq));
  std::vector<float> scores(static_cast<std::size_t>(pitch) * 1, std::numeric_limits<float>::quiet_NaN());
  const CounterRng random(1, "scores");
  for (int j = 0; j < keys; ++j) scores[static_cast<std::size_t>(j)] = scale_of_scores * static_cast<float>(random.normal(static_cast<std::uint64_t>(j)));
  const std::vector<float> given = scores;
  std::vector<T> weights(scores.size(), store<T>(std::numeric_limits<float>::quiet_NaN()));
  float lse = 0.0F;
  const std::int32_t length = keys;
  DeviceJob attention{};
  attention.lse = &lse;
  attention.key_lengths = &length;
  attention.batch = attention.heads = attention.group = 1;
  attention.seq = seq;
  attention.scale_log2 = 0.5F;
  NaiveJob job{attention, scores.data(), weights.data(), pitch};
  using Softmax = NaiveSoftmax<HostMachine, T, kRowThreads, false>;
  launch<Softmax>(/*blocks=*/1, /*seed=*/1, [&] { Softmax(job).run(); });
  double most = -INFINITY, sum = 0.0;
  for (int j = 0; j < keys; ++j) most = std::max(most, 0.5 * double{given[static_cast<std::size_t>(j)]});
  for (int j = 0; j < keys; ++j) sum += std::exp2(0.5 * double{given[static_cast<std::size_t>(j)]} - most);
  if (keys == 0)
    EXPECT_EQ(lse, -INFINITY);
  else
    EXPECT_NEAR(lse, (most + std::log2(sum)) * kLn2, 1e-4);
  const double eps = sizeof(T) == 2 ? epsilon_of(DType::bf16) : 1e-5;
  for (int j = 0; j < pitch; ++j) {
    const double want = j < keys ? std::exp2(0.5 * double{given[static_cast<std::size_t>(j)]} - most) / sum : 0.0;
    ASSERT_NEAR(load(weights[static_cast<std::size_t>(j)]), want, eps * want + 1e-9) << j;
  }
}

// A block has 16384 scores in registers, 1024 each time its threads take four; pitches are multiples of eight.
TEST(NaiveSoftmax, TakesRowsOfAnyLength) {
  for (const int seq : {1, 1023, 2049, 5000, 16384, 16385, 33000}) expect_row_of<Bf16, 256>(seq, seq, 4.0F);
  expect_row_of<float, 256>(20000, 20000, 4.0F);
}

TEST(NaiveSoftmax, EndsWithTheKeysAndStaysFinite) {
  for (const int keys : {0, 1, 3, 700, 17000}) expect_row_of<Bf16, 256>(17001, keys, 4.0F);
  expect_row_of<Bf16, 256>(3000, 3000, 1000.0F);  // weights of a few keys only: 2^500 overflows fp32 unless shifted
}

}  // namespace
}  // namespace bench::attention
