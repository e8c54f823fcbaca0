// SPDX-License-Identifier: Apache-2.0
// The vector maths against fp64, for every instruction set this machine has; the bounds are those of the
// header's table.
#include "kernels/simd_math.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/isa.hpp"

namespace bench {
namespace {

enum class Function { exp2, exp, log1p01, softplus, silu };

template <class V>
BS_INLINE void map(Function f, std::vector<float>& x) {
  for (std::size_t i = 0; i < x.size(); i += simd::kWidth<V>) {
    const V v = simd::load<V>(&x[i]);
    V y = v;
    if (f == Function::exp2) y = simd::exp2<V>(v);
    if (f == Function::exp) y = simd::exp<V>(v);
    if (f == Function::log1p01) y = simd::log1p01<V>(v);
    if (f == Function::softplus) y = simd::softplus<V>(v);
    if (f == Function::silu) y = simd::silu<V>(v);
    simd::store<V>(&x[i], y);
  }
}
BS_TARGET_AVX512 void map_avx512(Function f, std::vector<float>& x) {
  map<simd::F32x16>(f, x);
}
BS_TARGET_AVX2 void map_avx2(Function f, std::vector<float>& x) {
  map<simd::F32x8>(f, x);
}
void map_plain(Function f, std::vector<float>& x) {
  map<simd::F32x4>(f, x);
}

/// f of every element; the count must be a multiple of 16.
std::vector<float> apply(Isa isa, Function f, std::vector<float> x) {
  if (isa == Isa::avx512) map_avx512(f, x);
  if (isa == Isa::avx2) map_avx2(f, x);
  if (isa == Isa::plain) map_plain(f, x);
  return x;
}

double exact(Function f, double x) {
  switch (f) {
    case Function::exp2:
      return std::exp2(x);
    case Function::exp:
      return std::exp(x);
    case Function::log1p01:
      return std::log1p(x);
    case Function::softplus:
      return x > 20.0 ? x : std::log1p(std::exp(x));
    case Function::silu:
      return x / (1.0 + std::exp(-x));
  }
  return 0.0;
}

struct Range {
  Function function;
  double low, high, bound;
};

class SimdMath : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!has_isa(GetParam())) GTEST_SKIP() << "this processor lacks the instruction set";
  }
};

TEST_P(SimdMath, StaysWithinItsStatedErrors) {
  const Range ranges[] = {
      {Function::exp2, -126.0, 127.0, 2e-7},
      {Function::exp2, -1.0, 1.0, 2e-7},
      {Function::exp, -87.0, 88.0, 2e-7},
      {Function::log1p01, 0.0, 1.0, 2e-7},
      {Function::log1p01, 0.0, 1e-6,
       2e-7},  // where log(1 + t) taken literally would be wrong in its first digit
      {Function::softplus, -80.0, 100.0, 3.5e-7},
      {Function::softplus, 19.9, 20.1, 3.5e-7},  // both sides of the threshold
      {Function::silu, -80.0, 100.0, 3e-7},
  };
  constexpr int kCount = 1 << 16;  // dense enough to meet every polynomial's extrema
  for (const Range& range : ranges) {
    std::vector<float> x(kCount);
    for (int i = 0; i < kCount; ++i)
      x[static_cast<std::size_t>(i)] =
          static_cast<float>(range.low + (range.high - range.low) * (i + 0.5) / kCount);
    const std::vector<float> y = apply(GetParam(), range.function, x);
    double worst = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = exact(range.function, static_cast<double>(x[i]));
      if (want != 0.0) worst = std::max(worst, std::abs(static_cast<double>(y[i]) / want - 1.0));
    }
    EXPECT_LE(worst, range.bound) << "function " << static_cast<int>(range.function) << " on [" << range.low
                                  << ", " << range.high << "]";
  }
}

TEST_P(SimdMath, Exp2ClampsAndKeepsNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(16, 0.0F);
  x[0] = -inf, x[1] = -1e30F, x[2] = -127.0F, x[3] = inf, x[4] = 500.0F, x[5] = nan;
  const std::vector<float> y = apply(GetParam(), Function::exp2, x);
  for (const std::size_t i : {0U, 1U, 2U}) EXPECT_EQ(y[i], 0x1p-126F);
  for (const std::size_t i : {3U, 4U}) EXPECT_EQ(y[i], 0x1p127F);
  EXPECT_TRUE(std::isnan(y[5]));
  EXPECT_EQ(y[6], 1.0F) << "2^0 must be exactly 1: a step of no decay keeps the state";
}

TEST_P(SimdMath, SoftplusAndSiluSurviveExtremes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> x(16, 0.0F);
  x[0] = 1e30F, x[1] = -1e4F, x[2] = nan;
  const std::vector<float> soft = apply(GetParam(), Function::softplus, x);
  const std::vector<float> gate = apply(GetParam(), Function::silu, x);
  EXPECT_EQ(soft[0], 1e30F);
  EXPECT_GE(soft[1], 0.0F);
  EXPECT_LT(soft[1], 1e-37F);
  EXPECT_TRUE(std::isnan(soft[2]));
  EXPECT_EQ(gate[0], 1e30F);
  EXPECT_LE(gate[1], 0.0F);
  EXPECT_GT(gate[1], -1e-30F);
  EXPECT_TRUE(std::isnan(gate[2]));
}

template <class V, class T>
BS_INLINE void widen(const std::vector<T>& in, std::vector<float>& out) {
  for (std::size_t i = 0; i < in.size(); i += simd::kWidth<V>) simd::store<V>(&out[i], simd::load<V>(&in[i]));
}
template <class V, class T>
BS_INLINE void narrow(const std::vector<float>& in, std::vector<T>& out) {
  for (std::size_t i = 0; i < in.size(); i += simd::kWidth<V>) simd::store<V>(&out[i], simd::load<V>(&in[i]));
}
template <class T>
BS_TARGET_AVX512 void convert_avx512(std::vector<T>& small, std::vector<float>& large, bool widens) {
  widens ? widen<simd::F32x16>(small, large) : narrow<simd::F32x16>(large, small);
}
template <class T>
BS_TARGET_AVX2 void convert_avx2(std::vector<T>& small, std::vector<float>& large, bool widens) {
  widens ? widen<simd::F32x8>(small, large) : narrow<simd::F32x8>(large, small);
}
template <class T>
void convert(Isa isa, std::vector<T>& small, std::vector<float>& large, bool widens) {
  if (isa == Isa::avx512) return convert_avx512(small, large, widens);
  if (isa == Isa::avx2) return convert_avx2(small, large, widens);
  widens ? widen<simd::F32x4>(small, large) : narrow<simd::F32x4>(large, small);
}

template <class T>
void expect_conversions_like_scalar(Isa isa) {
  std::vector<T> all(1 << 16);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> wide(all.size());
  convert(isa, all, wide, true);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const float want = load(all[i]);
    if (std::isnan(want))
      ASSERT_TRUE(std::isnan(wide[i])) << i;
    else
      ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), std::bit_cast<std::uint32_t>(want)) << i;
  }
  // Every 65,537th fp32 pattern: all exponents, both signs, ties and near-ties by turns.
  std::vector<float> many(1 << 16);
  for (std::size_t i = 0; i < many.size(); ++i)
    many[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i * 65537U));
  std::vector<T> narrow_ones(many.size());
  convert(isa, narrow_ones, many, false);
  for (std::size_t i = 0; i < many.size(); ++i) {
    const T want = store<T>(static_cast<double>(many[i]));
    if (std::isnan(many[i]))
      ASSERT_TRUE(std::isnan(load(narrow_ones[i]))) << i;
    else
      ASSERT_EQ(narrow_ones[i].bits, want.bits) << "from " << many[i];
  }
}

TEST_P(SimdMath, WidensAndNarrowsBf16AsTheScalarFunctionsDo) {
  expect_conversions_like_scalar<Bf16>(GetParam());
}
TEST_P(SimdMath, WidensAndNarrowsFp16AsTheScalarFunctionsDo) {
  expect_conversions_like_scalar<F16>(GetParam());
}

std::string name_of_isa(const ::testing::TestParamInfo<Isa>& parameter) {
  if (parameter.param == Isa::avx512) return "avx512";
  return parameter.param == Isa::avx2 ? "avx2" : "plain";
}

INSTANTIATE_TEST_SUITE_P(AllInstructionSets, SimdMath, ::testing::ValuesIn(kAllIsas), name_of_isa);

}  // namespace
}  // namespace bench
