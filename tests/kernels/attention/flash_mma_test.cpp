// SPDX-License-Identifier: Apache-2.0
// The tensor-core kernel's body, run on the host thread by thread and held against the fp64 oracle; and its index arithmetic against brute
// force.
#include "kernels/attention/flash_mma.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "kernels/attention/attention.hpp"
#include "kernels/inputs.hpp"
#include "tests/support/host_machine.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {
namespace {

AttentionProblem parse(Params changes) {
  const Op& op = support::find_op("attention");
  Params params = default_params(op);
  for (auto& [name, value] : changes) params[name] = value;
  return problem_as<AttentionProblem>(*op.parse(params));
}

template <class T, int kDim, int kRows, int kKeys>
Tensors on_the_host(const AttentionProblem& p, Tensors& inputs, std::uint64_t seed) {
  using Kernel = FlashMma<support::HostMachine, T, kDim, kRows, kKeys>;
  const Op& op = support::find_op("attention");
  Tensors outputs;
  for (const TensorSpec& spec : op.outputs(p)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
  const std::vector<std::int32_t> lengths(p.key_lengths.begin(), p.key_lengths.end());
  DeviceJob job = device_job(p);
  job.q = inputs["q"].data();
  job.k = inputs["k"].data();
  job.v = inputs["v"].data();
  job.out = outputs["out"].data();
  job.lse = outputs["lse"].as<float>();
  job.key_lengths = lengths.empty() ? nullptr : lengths.data();
  for (int block = 0; block < Kernel::blocks(job); ++block)
    support::run_block(Kernel::kThreads, block, Kernel::kSharedBytes, seed + static_cast<std::uint64_t>(block), [&] { Kernel(job).run(); });
  return outputs;
}

template <class T, int kDim, int kRows, int kKeys>
void expect_the_oracles_answer(const Params& changes, std::uint64_t seed = 1) {
  const AttentionProblem p = parse(changes);
  const Op& op = support::find_op("attention");
  Tensors inputs = support::make_inputs(op, p, seed);
  const Tensors outputs = on_the_host<T, kDim, kRows, kKeys>(p, inputs, seed);
  const Kernel& any = support::find_kernel("attention/naive_cpu");  // what is compared: all outputs
  for (const auto& error : support::compare(any, op, p, inputs, outputs)) EXPECT_LE(error.error, error.tolerance) << error.text();
}

Params shape(std::int64_t seq, std::int64_t head_dim, bool causal) {
  return {{"seq", seq}, {"head_dim", head_dim}, {"causal", causal}, {"heads", std::int64_t{1}}, {"dtype", std::string("bf16")}};
}

TEST(FlashMma, EqualsTheOracleAtEveryEdgeOfATile) {
  for (const bool causal : {false, true})
    for (const std::int64_t seq : {1, 7, 63, 64, 65, 127, 128, 129, 200}) {  // of 64 rows and 64 keys
      SCOPED_TRACE(concat("L ", seq, " causal ", causal));
      expect_the_oracles_answer<Bf16, 64, 64, 64>(shape(seq, 64, causal));
    }
}

TEST(FlashMma, EqualsTheOracleInTheShapesThatAreLaunched) {
  expect_the_oracles_answer<Bf16, 64, 128, 128>(shape(257, 64, true));
  expect_the_oracles_answer<Bf16, 128, 128, 64>(shape(193, 128, true));
  expect_the_oracles_answer<Bf16, 256, 64, 64>(shape(129, 256, false));
}

TEST(FlashMma, FillsUpOddHeadDimensionsWithZeros) {
  for (const std::int64_t head_dim : {8, 40, 56}) expect_the_oracles_answer<Bf16, 64, 64, 64>(shape(70, head_dim, true));
  expect_the_oracles_answer<Bf16, 128, 64, 64>(shape(70, 96, false));
}

TEST(FlashMma, ComputesHalfPrecisionToo) {
  Params changes = shape(130, 64, true);
  changes["dtype"] = std::string("fp16");
  expect_the_oracles_answer<F16, 64, 64, 64>(changes);
}

TEST(FlashMma, KnowsGroupsBatchesWindowsAndPadding) {
  Params changes = shape(150, 64, true);
  changes["heads"] = std::int64_t{4};
  changes["kv_heads"] = std::int64_t{2};
  changes["batch"] = std::int64_t{2};
  expect_the_oracles_answer<Bf16, 64, 64, 64>(changes);
  changes["heads"] = changes["kv_heads"] = std::int64_t{1};
  for (const bool causal : {false, true})
    for (const std::int64_t window : {1, 5, 64, 65, 130}) {
      SCOPED_TRACE(concat("window ", window, " causal ", causal));
      changes["causal"] = causal;
      changes["window"] = window;
      changes["key_lengths"] = std::string("ragged");
      expect_the_oracles_answer<Bf16, 64, 64, 64>(changes);
    }
}

TEST(FlashMma, HasTheSameBitsInWhateverOrderThreadsTakeTurns) {
  const AttentionProblem p = parse(shape(100, 64, true));
  Tensors inputs = support::make_inputs(support::find_op("attention"), p, 1);
  const Tensors first = on_the_host<Bf16, 64, 64, 64>(p, inputs, 1);
  for (const std::uint64_t seed : {2, 3, 4}) {
    const Tensors again = on_the_host<Bf16, 64, 64, 64>(p, inputs, seed);
    EXPECT_EQ(std::memcmp(first["out"].data(), again["out"].data(), static_cast<std::size_t>(first["out"].bytes())), 0) << seed;
  }
}

TEST(KeyBlocks, HoldEveryVisiblePairAndHideOnlyWhereSomePairIsHidden) {
  AttentionProblem p;
  for (const std::int64_t seq : {1, 5, 16, 33})
    for (const bool causal : {false, true})
      for (const std::int64_t window : {0, 1, 3, 16, 40})
        for (std::int64_t keys = 1; keys <= seq; ++keys) {
          p.seq = seq;
          p.causal = causal;
          p.window = window;
          p.key_lengths = {keys};
          const RowMask mask{static_cast<int>(seq), static_cast<int>(keys), static_cast<int>(window), causal};
          for (int row0 = 0; row0 < seq; row0 += 8) {
            const KeyBlocks blocks(mask, row0, 8, 4);
            for (int row = row0; row < std::min<int>(row0 + 8, static_cast<int>(seq)); ++row)
              for (int key = 0; key < seq; ++key) {
                const KeyRange visible = p.visible(0, row);
                const bool sees = key >= visible.first && key < visible.end;
                ASSERT_EQ(mask.sees(row, key), sees) << row << ' ' << key;
                const bool visited = key / 4 >= blocks.begin() && key / 4 < blocks.end();
                ASSERT_TRUE(visited || !sees) << row << ' ' << key;
                ASSERT_TRUE(sees || !visited || blocks.hides_some(key / 4)) << row << ' ' << key;
              }
          }
        }
}

TEST(Swizzle, PutsEveryChunkInAPlaceOfItsOwn) {
  for (const int columns : {64, 128, 256}) {
    std::set<std::uint32_t> places;
    for (int row = 0; row < 24; ++row)
      for (int chunk = 0; chunk < columns / 8; ++chunk) places.insert(cuda::swizzled(row, chunk, 24));
    EXPECT_EQ(places.size(), 24U * static_cast<unsigned>(columns) / 8);
    EXPECT_EQ(*places.rbegin() + 16, static_cast<unsigned>(cuda::tile_bytes(24, columns)));
  }
}

TEST(Swizzle, LetsEightRowsAndEightChunksMeetInNoBank) {
  const auto banks = [](auto place) {
    std::set<std::uint32_t> sets;  // of four banks
    for (int i = 0; i < 8; ++i) sets.insert(place(i) % 128 / 16);
    return sets.size();
  };
  for (int chunk = 0; chunk < 16; ++chunk) EXPECT_EQ(banks([&](int i) { return cuda::swizzled(40 + i, chunk, 64); }), 8U) << "as ldmatrix reads";
  for (int row = 0; row < 8; ++row) EXPECT_EQ(banks([&](int i) { return cuda::swizzled(row, 8 + i, 64); }), 8U) << "as copies write";
}

TEST(Swizzle, MovesByPairsAsIfWorkedOutAnew) {
  for (int row = 0; row < 64; ++row)
    for (int chunk = 0; chunk < 2; ++chunk)
      for (int pairs = 0; pairs < 16; ++pairs)
        EXPECT_EQ(cuda::moved_by_pairs(1024 + cuda::swizzled(row, chunk, 64), pairs, 64), 1024 + cuda::swizzled(row, chunk + 2 * pairs, 64));
}

}  // namespace
}  // namespace bench::attention
