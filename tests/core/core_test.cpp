// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "src/core/dtype.hpp"
#include "src/core/registry.hpp"
#include "src/core/rng.hpp"
#include "src/core/tensor.hpp"
#include "src/core/units.hpp"

namespace bench {
namespace {

TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  // Random123's kat_vectors for philox4x32 with 10 rounds: zeros, ones, digits of pi.
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterRng, IsAFunctionOfSeedNameAndIndexAlone) {
  const CounterRng a(42, "q"), again(42, "q"), other_name(42, "k"), other_seed(43, "q");
  EXPECT_EQ(a.normal(7), again.normal(7));
  EXPECT_NE(a.normal(7), other_name.normal(7));
  EXPECT_NE(a.normal(7), other_seed.normal(7));
}

TEST(CounterRng, HasTheMomentsOfItsDistributions) {
  const CounterRng rng(1, "moments");
  constexpr int kDraws = 200000;  // the standard error of the mean is 1/450: bounds of 5 errors cannot fail by chance in practice
  double sum = 0.0, squares = 0.0, uniform = 0.0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.normal(static_cast<std::uint64_t>(i));
    sum += x, squares += x * x;
    const double u = rng.uniform(static_cast<std::uint64_t>(i));
    ASSERT_TRUE(u >= 0.0 && u < 1.0);
    uniform += u;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 5.0 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0, 5.0 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(uniform / kDraws, 0.5, 5.0 * std::sqrt(1.0 / 12.0 / kDraws));
}

TEST(Dtype, EveryFp16ValueSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const F16 x{static_cast<std::uint16_t>(bits)};
    if (std::isnan(to_float(x)))
      EXPECT_TRUE(std::isnan(to_float(to_f16(to_float(x)))));
    else
      ASSERT_EQ(to_f16(to_float(x)).bits, x.bits) << bits;
  }
}

TEST(Dtype, EveryBf16ValueSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Bf16 x{static_cast<std::uint16_t>(bits)};
    if (std::isnan(to_float(x))) continue;
    ASSERT_EQ(to_bf16(to_float(x)).bits, x.bits) << bits;
  }
}

TEST(Dtype, RoundsToNearestAndTiesToEven) {
  EXPECT_EQ(to_float(to_bf16(1.0F + 0x1p-8F)), 1.0F) << "a tie goes to the even neighbour below";
  EXPECT_EQ(to_float(to_bf16(1.0F + 3 * 0x1p-8F)), 1.0F + 0x1p-6F) << "a tie goes to the even neighbour above";
  EXPECT_EQ(to_float(to_f16(1.0F + 0x1p-11F)), 1.0F);
  EXPECT_EQ(to_float(to_f16(1.0F + 3 * 0x1p-11F)), 1.0F + 0x1p-9F);
  EXPECT_EQ(to_float(to_f16(65519.0F)), 65504.0F) << "just below the rounding edge of the largest fp16";
  EXPECT_TRUE(std::isinf(to_float(to_f16(65520.0F)))) << "on the edge";
  EXPECT_EQ(to_float(to_f16(0x1p-25F)), 0.0F) << "half the smallest subnormal ties to zero";
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Dtype, NamesAreReadBackAndUnknownOnesAreUsageErrors) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) EXPECT_EQ(parse_dtype(to_text(dtype)), dtype);
  EXPECT_EQ(parse_dtype("torch.bfloat16"), DType::bf16);
  EXPECT_THROW(parse_dtype("fp31"), Error);
}

TEST(Tensor, OwnsAlignedMemoryAndIndexesRowMajor) {
  Tensor t(DType::f32, {2, 3, 5});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data()) % 64, 0U);
  for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, static_cast<double>(i));
  const auto v = view<const float, 3>(std::as_const(t));
  EXPECT_EQ(v(1, 2, 4), 29.0F);
  EXPECT_EQ(v(1, 0, 0), 15.0F);
  EXPECT_THROW((view<double, 3>(t)), Error) << "another element size";
}

TEST(Tensor, RefusesExtentsThatOverflow) {
  EXPECT_THROW(element_count({std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
  EXPECT_THROW(element_count({-1}), Error);
  EXPECT_EQ(element_count({}), 1);
}

struct Thing {
  std::string name;
};

TEST(Registry, NamesBothSortedAndRefusesADouble) {
  Registry<Thing> registry;
  registry.add({"b"});
  registry.add({"a"});
  EXPECT_EQ(registry.all().front()->name, "a");
  EXPECT_EQ(registry.find("c"), nullptr);
  EXPECT_THROW(registry.add({"a"}), Error);
}

TEST(Units, ReadLikeASentence) {
  EXPECT_EQ(format_time(1.2345e-3), "1.234 ms");
  EXPECT_EQ(format_time(2e-9), "2 ns");
  EXPECT_EQ(format_duration(125.0), "2 min 05 s");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
}

}  // namespace
}  // namespace bench
