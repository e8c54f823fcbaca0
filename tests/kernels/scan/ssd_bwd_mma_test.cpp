// SPDX-License-Identifier: Apache-2.0
// The launches of the ssd op's backward pass on tensor cores, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/ssd_bwd_mma.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "kernels/scan/ssd_bwd_ends.hpp"
#include "kernels/scan/ssd_split_mma.hpp"
#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using support::run_blocks;
using test::with;

template <class T>
std::vector<T> scratch(std::int64_t count) {
  std::vector<T> memory(static_cast<std::size_t>(count));
  std::memset(static_cast<void*>(memory.data()), 0xff, memory.size() * sizeof(T));  // NaN
  return memory;
}

/// A problem's outputs on the host, with their scratch.
template <class T, int kStates>
Tensors launched(test::HostCase& c, std::uint64_t seed) {
  using M = support::HostMachine;
  using Main = SsdBwdMma<M, T, kStates>;
  using States = SsdChunkStates<M, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::end>;
  using Gradients = SsdChunkStates<M, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::begin>;
  using Gates = SsdChunkOutputs<M, T, kSsdBwdSteps, kSsdBwdElements, kStates>;
  using Steps = SsdBwdSteps<M, T>;
  using Forwards = SsdPassing<M, kSsdBwdSteps>;
  using Backwards = SsdPassing<M, kSsdBwdSteps, Towards::begin>;
  Tensors& out = c.outputs;
  const SsdBwdScratch size(c.p);
  SsdBwdJob job{c.job()};
  auto h_last = scratch<float>(job.all_states()), before = scratch<float>(size.states), after = scratch<float>(size.states), keep = scratch<float>(size.keep);
  auto db = scratch<float>(size.mixers), dc = scratch<float>(size.mixers);
  auto sums = scratch<SsdStepSums>(size.sums), span_sums = scratch<SsdStepSums>(size.span_sums);
  job.dout = c.inputs["dout"].data();
  job.dh_last = c.inputs["dh_last"].as<float>();
  job.out = c.p.gated ? out["dz"].data() : nullptr;
  job.dx = out["dx"].data(), job.ddt = out["ddt"].data();
  job.da = out["dA"].as<float>(), job.dskip = out["dD"].as<float>(), job.dbias = out["ddt_bias"].as<float>(), job.dh0 = out["dh0"].as<float>();
  job.db = out["dB"].as<float>(), job.dc = out["dC"].as<float>();
  job.shares = static_cast<int>(size.shares);
  job.h_last = h_last.data(), job.keep = keep.data(), job.states = before.data();
  job.before = before.data(), job.after = after.data();
  job.db_shares = size.shares > 1 ? db.data() : job.db;
  job.dc_shares = size.shares > 1 ? dc.data() : job.dc;
  job.sums = sums.data(), job.span_sums = span_sums.data();
  run_blocks(States::blocks(job), States::kThreads, States::kSharedBytes, seed, [&] { States::run(job); });
  run_blocks(Forwards::blocks(job), Forwards::kThreads, 0, seed, [&] { Forwards::run(job, job.h0, job.h_last); });
  if (job.z != nullptr) run_blocks(Gates::blocks(job), Gates::kThreads, Gates::kSharedBytes, seed, [&] { Gates::run(job); });
  job.states = after.data();
  run_blocks(Gradients::blocks(job), Gradients::kThreads, Gradients::kSharedBytes, seed, [&] { Gradients::run(job); });
  run_blocks(Backwards::blocks(job), Backwards::kThreads, 0, seed, [&] { Backwards::run(job, job.dh_last, job.dh0); });
  run_blocks(Main::blocks(job), Main::kThreads, Main::kSharedBytes, seed, [&] { Main(job).run(); });
  run_blocks(Steps::blocks(job), Steps::kThreads, Steps::kSharedBytes, seed, [&] { Steps::run(job); });
  run_blocks(SsdBwdSums<M>::blocks(job), SsdBwdSums<M>::kThreads, 0, seed, [&] { SsdBwdSums<M>::run(job); });
  if (size.shares > 1) run_blocks(SsdBwdMixers<M>::blocks(job), SsdBwdMixers<M>::kThreads, 0, seed, [&] { SsdBwdMixers<M>::run(job); });
  return std::move(c.outputs);
}

template <class T = Bf16, int kStates = 64>
void expect_the_oracles_answer(const Params& changes, const Spoil& spoil = nullptr, const std::vector<std::int64_t>& starts = {}) {
  SCOPED_TRACE(text_of(changes));
  test::HostCase c(changes, spoil, starts);
  c.outputs = launched<T, kStates>(c, 1);
  c.expect_the_oracles_answer();
}

Params one_head(std::int64_t seq, std::int64_t head_dim, std::int64_t state) {
  return with(test::one_head(seq, head_dim, state), "pass", std::string("bwd"));
}

TEST(SsdBwdMma, EqualsTheOracleAtEveryEdgeOfAChunk) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 140}) expect_the_oracles_answer(one_head(seq, 64, 64));  // sixteens, chunks, three of them
}

TEST(SsdBwdMma, TakesEveryWidthOfHeadsAndStates) {
  for (const std::int64_t head_dim : {8, 72}) expect_the_oracles_answer(one_head(70, head_dim, 40));  // a piece of a block, two of them
  expect_the_oracles_answer<Bf16, 128>(one_head(70, 64, 128));
  expect_the_oracles_answer<Bf16, 128>(one_head(66, 16, 72));
}

TEST(SsdBwdMma, AddsUpTheHeadsOfAGroup) {
  const Params heads = with(with(one_head(70, 16, 16), "heads", std::int64_t{4}), "groups", std::int64_t{2});
  expect_the_oracles_answer(with(heads, "batch", std::int64_t{2}));
  expect_the_oracles_answer(with(with(heads, "heads", std::int64_t{18}), "groups", std::int64_t{2}));  // nine a group: two shares
}

TEST(SsdBwdMma, TakesGatesAndLimits) {
  const Params heads = with(with(with(one_head(70, 24, 16), "heads", std::int64_t{2}), "gated", true), "dt_limit", std::string("0.005:0.02"));
  expect_the_oracles_answer(heads);
  expect_the_oracles_answer<F16>(with(heads, "dtype", std::string("fp16")));
}

TEST(SsdBwdMma, PackedSequencesDoNotMeet) {
  const std::vector<std::int64_t> cuts[] = {{17, 64, 65, 66, 130}, {64, 128}, {149}};  // in a chunk, at its edges, of one step
  for (const auto& starts : cuts) expect_the_oracles_answer(one_head(150, 16, 32), nullptr, starts);
}

TEST(SsdBwdMma, DecaysThatSumsWouldLoseKeepTheirDigits) {
  for (const Spoil& spoil : test::hard_inputs()) expect_the_oracles_answer(one_head(130, 32, 32), spoil);
}

TEST(SsdBwdMma, AddsUpTheStepsOfMoreThanOneSpan) {
  expect_the_oracles_answer(with(one_head(kSsdBwdSpan + 10, 8, 8), "batch", std::int64_t{2}));
}

TEST(SsdBwdMma, BitsDoNotDependOnTheOrderOfThreads) {
  const auto run = [](std::uint64_t seed) {
    test::HostCase c(with(one_head(100, 32, 32), "heads", std::int64_t{3}));
    return launched<Bf16, 64>(c, seed);
  };
  const Tensors one = run(1), other = run(7);
  for (const auto& [name, tensor] : one.all()) EXPECT_EQ(std::memcmp(tensor.data(), other[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << name;
}

}  // namespace
}  // namespace bench::scan
