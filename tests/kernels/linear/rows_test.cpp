// SPDX-License-Identifier: Apache-2.0
// The device's kernels for many rows of x, run on the host thread by thread and held against the fp64 oracle: products with codes and with weights in full width, the norm
// before them, and what follows a product that knows neither bias nor activation.
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/cuda/gemm_fma.hpp"
#include "kernels/cuda/gemm_mma.hpp"
#include "kernels/inputs.hpp"
#include "kernels/linear/codes_operand.hpp"
#include "kernels/linear/device_limits.hpp"
#include "kernels/linear/finish_rows.hpp"
#include "kernels/linear/layer_finish.hpp"
#include "kernels/linear/row_norm.hpp"
#include "tests/kernels/linear/device_cases.hpp"

namespace bench::linear {
namespace {

using support::HostMachine;
using test::fused;
using test::layer;
using test::Output;

template <class T>
using End = LayerFinish<HostMachine, T>;
template <class T, int kColumns>
using Plain = cuda::GemmMma<HostMachine, T, T, cuda::GemmForm::nt, kColumns, cuda::EveryTile, End<T>>;
using Single = cuda::GemmFma<HostMachine, cuda::GemmForm::nt, 64, cuda::EveryTile, End<float>>;
template <class T, int kBits, int kColumns>
using Codes = cuda::GemmMma<HostMachine, T, T, cuda::GemmForm::nt, kColumns, cuda::EveryTile, End<T>, CodesOperand<HostMachine, T, kBits, kColumns>>;

/// x as the product reads it.
template <class T>
Tensor normed(const LinearCase& c) {
  const auto& p = problem_as<LinearProblem>(*c.problem);
  Tensor rows(p.dtype, {p.m, p.k});
  if (p.norm == Norm::none) {
    std::memcpy(rows.data(), c.inputs["x"].data(), static_cast<std::size_t>(rows.bytes()));
    return rows;
  }
  using Body = NormRows<HostMachine, T>;
  const NormRowsJob job{c.inputs["x"].data(), rows.data(), static_cast<int>(p.m), static_cast<int>(p.k)};
  support::run_blocks(job.m, Body::kThreads, Body::kSharedBytes, 1, [&] { Body::run(job); });
  return rows;
}

cuda::GemmJob product(const LinearProblem& p, const Tensor& x, Output& out) {
  cuda::GemmJob job{};
  job.a = x.data();
  job.c = out.y.data();
  job.m = static_cast<int>(p.m);
  job.n = job.pitch_c = static_cast<int>(p.n);
  job.k = job.pitch_a = job.pitch_b = static_cast<int>(p.k);
  return job;
}
Finish finish_of(const LinearCase& c) { return {c.inputs["bias"].data(), nullptr, problem_as<LinearProblem>(*c.problem).activation}; }

template <class T, int kBits, int kColumns>
Output codes_on_host(const LinearCase& c, std::uint64_t seed = 1) {
  using Body = Codes<T, kBits, kColumns>;
  const auto& p = problem_as<LinearProblem>(*c.problem);
  const CodePackets packets = pack_codes(quantise(c.inputs["w"], p.recipe, p.dtype, 1), p.dtype, 1);
  const Tensor x = normed<T>(c);
  Output out(p);
  const cuda::GemmJob job = product(p, x, out);
  CodesSource source{packets.words.data(), packets.scales.data(), static_cast<int>(packets.tiles), static_cast<int>(packets.chunks), static_cast<int>(packets.groups), 0};
  for (std::int64_t group = p.recipe.group; group > 1; group /= 2) ++source.group_bits;
  End<T> end{finish_of(c)};
  if (kBits == 8) end.of.scales = packets.scales.data();
  support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(job, {}, end, source).run(); });
  return out;
}
template <class T, int kBits, int kColumns>
void expect_codes(const LinearCase& c) {
  codes_on_host<T, kBits, kColumns>(c).expect(c);
}

template <class T, class Body>
void expect_plain(const LinearCase& c) {
  const auto& p = problem_as<LinearProblem>(*c.problem);
  const Tensor x = normed<T>(c);
  Output out(p);
  cuda::GemmJob job = product(p, x, out);
  job.b = c.inputs["w"].data();
  support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, 1, [&] { Body(job, {}, End<T>{finish_of(c)}).run(); });
  out.expect(c);
}

// Tiles are 128 rows by 64 or 128 outputs, 64 inputs a step in three stages; packets 16 outputs by 64 (int4) or 32 inputs (int8).
TEST(CodesProduct, AddsUpEverySizeOfK) {
  for (const std::int64_t k : {8, 56, 64, 72, 128, 200, 264}) expect_codes<Bf16, 4, 64>(layer({16, 16, k, 1}, "bf16", "int4wo-64"));
  for (const std::int64_t k : {8, 32, 40, 96, 104, 264}) expect_codes<Bf16, 8, 64>(layer({16, 16, k, 1}, "bf16", "int8wo"));
}

TEST(CodesProduct, EndsWhereALayerEnds) {
  for (const std::int64_t n : {8, 56, 72}) expect_codes<F16, 4, 64>(layer({9, n, 72, 1}, "fp16", "int4wo-32"));
  for (const std::int64_t n : {120, 136}) expect_codes<Bf16, 8, 128>(layer({9, n, 72, 1}, "bf16", "int8wo"));
  for (const std::int64_t m : {1, 127, 129}) expect_codes<Bf16, 4, 128>(layer({m, 24, 72, 1}, "bf16", "int4wo-64"));
}

TEST(CodesProduct, TakesEveryGroup) {
  for (const char* recipe : {"int4wo-32", "int4wo-32-hqq", "int4wo-64", "int4wo-128", "int4wo-128-hqq", "int4wo-256"})
    expect_codes<F16, 4, 64>(layer({12, 40, 328, 1}, "fp16", recipe));  // the last group a short one
  expect_codes<F16, 8, 64>(layer({12, 40, 328, 1}, "fp16", "int8wo"));
}

TEST(CodesProduct, BeginsWithTheNormAndEndsWithEveryActivation) {
  for (const std::string& activation : activations()) {
    expect_codes<Bf16, 4, 64>(layer({5, 24, 64, 1}, "bf16", "int4wo-32", fused("layer", activation)));
    expect_codes<F16, 8, 64>(layer({5, 24, 64, 1}, "fp16", "int8wo", fused("none", activation)));
  }
}

TEST(CodesProduct, HasTheSameBitsInWhateverOrderThreadsTakeTurns) {
  const LinearCase c = layer({20, 40, 264, 1}, "bf16", "int4wo-128");
  const Output first = codes_on_host<Bf16, 4, 64>(c);
  for (const std::uint64_t seed : {2, 3, 4}) {
    const Output again = codes_on_host<Bf16, 4, 64>(c, seed);
    EXPECT_EQ(std::memcmp(first.y.data(), again.y.data(), static_cast<std::size_t>(first.y.bytes())), 0) << seed;
  }
}

TEST(PlainProduct, EqualsTheOracleWithNormAndActivation) {
  for (const std::string& activation : activations()) {
    expect_plain<Bf16, Plain<Bf16, 64>>(layer({5, 24, 72, 1}, "bf16", "none", fused("layer", activation)));
    expect_plain<float, Single>(layer({5, 23, 37, 1}, "fp32", "none", fused("layer", activation)));
  }
  expect_plain<F16, Plain<F16, 128>>(layer({130, 136, 72, 1}, "fp16", "none", fused("none", "relu")));
  expect_plain<float, Single>(layer({129, 65, 20, 1}, "fp32", "none"));
}

// 2048 inputs are one round of a block.
TEST(NormRows, NormalisesRowsOfEveryLength) {
  for (const std::int64_t k : {1, 7, 8, 9, 255, 2048, 2049}) {
    const LinearCase c = layer({3, 1, k, 1}, "fp32", "none", fused("layer", "none"));
    const Tensor got = normed<float>(c);
    for (std::int64_t r = 0; r < 3; ++r) {
      std::vector<double> row;
      for (std::int64_t i = 0; i < k; ++i) row.push_back(c.inputs["x"].at(r * k + i));
      normalise(Norm::layer, row);
      for (std::int64_t i = 0; i < k; ++i) ASSERT_NEAR(got.at(r * k + i), row[static_cast<std::size_t>(i)], 2e-6) << "K " << k << " row " << r << " input " << i;  // of some 4
    }
  }
}

template <class T>
void expect_finished(const std::string& dtype, std::int64_t n) {
  const LinearCase c = layer({3, n, 16, 1}, dtype, "none", fused("none", "silu"));
  const auto& p = problem_as<LinearProblem>(*c.problem);
  Output out(p);
  for (std::int64_t i = 0; i < p.m * n; ++i) {
    double sum = 0.0;
    for (std::int64_t k = 0; k < p.k; ++k) sum += c.inputs["x"].at(i / n * p.k + k) * c.inputs["w"].at(i % n * p.k + k);
    out.y.set(i, sum);
  }
  using Body = FinishRows<HostMachine, T>;
  const FinishRowsJob job{out.y.data(), static_cast<int>(p.m), static_cast<int>(n), finish_of(c)};
  support::run_blocks(Body::blocks(job), Body::kThreads, 0, 1, [&] { Body::run(job); });
  out.expect(c);
}
TEST(FinishRows, AddsTheBiasAndActivatesEveryOutput) {
  for (const std::int64_t n : {1, 255, 1024, 1025}) {
    expect_finished<float>("fp32", n);
    expect_finished<Bf16>("bf16", n);
  }
}

TEST(DeviceLimits, AreSaidInWords) {
  const auto p = problem_of({1, 12, 40, 1}, "bf16", "int4wo-64");
  EXPECT_EQ(needs_whole_rows(problem_as<LinearProblem>(*p)), "out_features = 12: this kernel takes multiples of 8");
  EXPECT_EQ(takes_codes<8>(*p), "recipe int4wo-64; this kernel has int8wo");
  EXPECT_EQ(takes_codes<4>(*p), "");
  const auto wide = problem_of({1, 16, std::int64_t{1} << 31, 1}, "bf16", "int4wo-64");
  EXPECT_NE(takes_codes<4>(*wide).find("32 bits"), std::string::npos);
}

}  // namespace
}  // namespace bench::linear
