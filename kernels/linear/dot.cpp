// SPDX-License-Identifier: Apache-2.0
// The engines of dot.hpp by instruction set, and the choice among them. Accumulators: AVX-512 has 32 registers, of
// which at most 24 hold sums; AVX2 has 16 and holds 12.
#include "kernels/linear/dot.hpp"

#include <atomic>
#include <bit>
#include <optional>
#include <vector>

#include "kernels/linear/dot_split.hpp"
#include "kernels/linear/dot_strip.hpp"

namespace bench::linear {
namespace {

/// Vectors of channels at a time: as many of 4, 2 and 1 as fit beside R digit rows.
constexpr int vectors(int digit_rows, int registers) {
  return digit_rows * 4 <= registers ? 4 : digit_rows * 2 <= registers ? 2 : 1;
}

template <WeightFormat kFormat, int kRows, int kDigits>
BS_TARGET_AVX512_VNNI void strip_avx512(const DotArgs& args) {
  dot_strip<simd::F32x16, kFormat, kRows, kDigits, vectors(kRows * kDigits, 24)>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <WeightFormat kFormat, int kRows, int kDigits>
BS_TARGET_AVX2_VNNI void strip_avx2(const DotArgs& args) {
  dot_strip<simd::F32x8, kFormat, kRows, kDigits, vectors(kRows * kDigits, 12)>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <WeightFormat kFormat, int kRows, int kDigits>
void strip_plain(const DotArgs& args) {
  dot_strip<simd::F32x4, kFormat, kRows, kDigits, vectors(kRows * kDigits, 12)>(args);
}

template <int kDigits>
BS_TARGET_AVX512_VNNI void split_avx512(const SplitArgs& args) {
  split_row<simd::F32x16, kDigits>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <int kDigits>
BS_TARGET_AVX2_VNNI void split_avx2(const SplitArgs& args) {
  split_row<simd::F32x8, kDigits>(args);
  BS_LEAVE_WIDE_VECTORS();
}
template <int kDigits>
void split_plain(const SplitArgs& args) {
  split_row<simd::F32x4, kDigits>(args);
}

using Strips = std::array<DotEngine::Strip, 3>;
template <WeightFormat F, int D>
constexpr Strips kAvx512{strip_avx512<F, 1, D>, strip_avx512<F, 2, D>, strip_avx512<F, 4, D>};
template <WeightFormat F, int D>
constexpr Strips kAvx2{strip_avx2<F, 1, D>, strip_avx2<F, 2, D>, strip_avx2<F, 4, D>};
template <WeightFormat F, int D>
constexpr Strips kPlain{strip_plain<F, 1, D>, strip_plain<F, 2, D>, strip_plain<F, 4, D>};

std::vector<DotEngine> find_engines() {
  constexpr auto i8 = WeightFormat::int8, i4 = WeightFormat::int4;
  std::vector<DotEngine> engines{{Isa::plain,
                                  16,
                                  {split_plain<2>, split_plain<3>},
                                  {{{kPlain<i8, 2>, kPlain<i8, 3>}, {kPlain<i4, 2>, kPlain<i4, 3>}}}}};
  if (has_byte_dot(Isa::avx2))
    engines.push_back({Isa::avx2,
                       32,
                       {split_avx2<2>, split_avx2<3>},
                       {{{kAvx2<i8, 2>, kAvx2<i8, 3>}, {kAvx2<i4, 2>, kAvx2<i4, 3>}}}});
  if (has_byte_dot(Isa::avx512))
    engines.push_back({Isa::avx512,
                       64,
                       {split_avx512<2>, split_avx512<3>},
                       {{{kAvx512<i8, 2>, kAvx512<i8, 3>}, {kAvx512<i4, 2>, kAvx512<i4, 3>}}}});
  return engines;
}

std::atomic<const DotEngine*> forced_engine{nullptr};
std::atomic<bool> is_forced{false};

}  // namespace

DotEngine::Strip DotEngine::strip(WeightFormat format, std::int64_t digits, std::int64_t rows) const {
  const auto size = static_cast<std::size_t>(std::countr_zero(static_cast<std::uint64_t>(rows)));
  return strips[format == WeightFormat::int4 ? 1 : 0][static_cast<std::size_t>(digits - 2)][size];
}

std::span<const DotEngine> dot_engines() {
  static const std::vector<DotEngine> engines = find_engines();
  return engines;
}

const DotEngine* dot_engine() {
  if (is_forced.load()) return forced_engine.load();
  const DotEngine& best = dot_engines().back();
  return best.isa == Isa::plain ? nullptr : &best;
}

void force_dot_engine(const DotEngine* engine) {
  forced_engine.store(engine);
  is_forced.store(true);
}

void allow_dot_engines() {
  is_forced.store(false);
}

}  // namespace bench::linear
