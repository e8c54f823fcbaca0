// SPDX-License-Identifier: Apache-2.0
// The compute step of the distributed kernels by itself: shares that add up, and the merge of partial results
// with its guards.
#include "kernels/attention/share_attention.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "src/comm/link_threads.hpp"
#include "src/core/rng.hpp"

namespace bench::attention {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttentionProblem small(std::int64_t rows) {
  AttentionProblem p;
  p.heads = 2;
  p.kv_heads = 1;
  p.seq = rows;
  p.head_dim = 16;
  p.dtype = DType::f64;
  p.causal = true;
  return p;
}

/// A state in memory of its own, and what it leaves.
struct Rows {
  AttentionProblem p;
  std::int64_t rows;
  Tensor memory;
  ShareState<double> state;
  std::vector<double> out, lse;

  Rows(const AttentionProblem& problem, std::int64_t row_count) : p(problem), rows(row_count) {
    Carver measure;
    ShareState<double>::carve(measure, p, rows);
    memory = Tensor(DType::f64, {measure.used_bytes() / 8});
    Carver carver({memory.data(), static_cast<std::size_t>(memory.bytes())});
    state = ShareState<double>::carve(carver, p, rows);
    out.resize(static_cast<std::size_t>(p.heads * rows * p.head_dim));
    lse.resize(static_cast<std::size_t>(p.heads * rows));
    clear_share(p, state, rows);
  }
  void finish() { finish_share(p, state, rows, out.data(), lse.data()); }
  void merge(const Rows& other) { merge_share(p, state, rows, other.out.data(), other.lse.data()); }
};

/// Random q, k, v of 60 positions, kept whole; shares are cut by position.
class SharesThatAddUp : public ::testing::Test {
 protected:
  static constexpr std::int64_t kRows = 60;
  AttentionProblem p = small(kRows);
  std::vector<std::int64_t> all = std::vector<std::int64_t>(kRows);
  Tensor q = draw("q", p.heads), k = draw("k", 1), v = draw("v", 1);  // aligned, as values are read in place
  std::unique_ptr<Link> link = std::move(comm::make_thread_links(1).front());

  SharesThatAddUp() { std::iota(all.begin(), all.end(), std::int64_t{0}); }

  Tensor draw(const char* name, std::int64_t heads) const {
    Tensor values(DType::f64, {heads, kRows, p.head_dim});
    const CounterRng rng(3, name);
    for (std::int64_t i = 0; i < values.count(); ++i) values.as<double>()[i] = rng.normal(static_cast<std::uint64_t>(i));
    return values;
  }
  /// All queries meet the keys at [first, end).
  void attend(Rows& rows, std::int64_t first, std::int64_t end) {
    Carver measure;
    ShareScratch<double>::carve<double>(measure, p, kRows);
    Tensor memory(DType::f64, {measure.used_bytes() / 8});
    Carver carver({memory.data(), static_cast<std::size_t>(memory.bytes())});
    const auto scratch = ShareScratch<double>::carve<double>(carver, p, kRows);
    const auto at = first * p.head_dim;
    const KeyShare<double> keys{
        k.as<double>() + at, v.as<double>() + at,
        Positions(all).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(end - first))};
    pack_keys(p, scratch, keys);
    attend_share(p, scratch, QueryShare<double>{q.as<double>(), all}, keys, rows.state, *link);
  }
  static void expect_near(const Rows& a, const Rows& b) {
    for (std::size_t i = 0; i < a.out.size(); ++i) ASSERT_NEAR(a.out[i], b.out[i], 1e-14) << "out " << i;
    for (std::size_t i = 0; i < a.lse.size(); ++i) ASSERT_NEAR(a.lse[i], b.lse[i], 1e-14) << "lse " << i;
  }
};

TEST_F(SharesThatAddUp, CarriedOrMergedInAnyOrderAreTheWhole) {
  Rows whole(p, kRows), carried(p, kRows), late(p, kRows), early(p, kRows);
  attend(whole, 0, kRows);
  whole.finish();
  attend(carried, 41, kRows);  // most rows see nothing of these keys: their state stays empty
  attend(carried, 0, 41);
  carried.finish();
  expect_near(whole, carried);

  attend(late, 41, kRows);
  attend(early, 0, 41);
  late.finish();
  early.finish();
  EXPECT_EQ(late.lse[0], -kInfinity);
  Rows merged(p, kRows);
  merged.merge(late);  // into empty rows, some of them by nothing
  merged.merge(early);
  merged.finish();
  expect_near(whole, merged);
  early.merge(late);  // its state is still there
  early.finish();
  expect_near(whole, early);
}

TEST(MergeShare, OfNothingAddsNothing) {
  const AttentionProblem p = small(5);
  Rows home(p, 5), nothing(p, 5);
  nothing.finish();
  home.merge(nothing);
  home.finish();
  for (const double x : home.out) EXPECT_EQ(x, 0.0);
  for (const double x : home.lse) EXPECT_EQ(x, -kInfinity);
}

TEST(MergeShare, OfScoresFarApartKeepsTheLargerOneWithoutOverflow) {
  const AttentionProblem p = small(1);
  for (const double apart : {200.0, 1e4, 1e20}) {  // exp(200) is 7e86: a bare exp of the difference overflows
    Rows home(p, 1), high(p, 1), low(p, 1);
    high.out.assign(high.out.size(), 3.0);
    high.lse.assign(high.lse.size(), apart);
    low.out.assign(low.out.size(), 5.0);
    low.lse.assign(low.lse.size(), -apart);
    home.merge(low);
    home.merge(high);
    home.merge(low);
    home.finish();
    for (const double x : home.out) EXPECT_DOUBLE_EQ(x, 3.0);
    for (const double x : home.lse) EXPECT_DOUBLE_EQ(x, apart);
  }
}

TEST(SeesAny, IsFalseForEmptySharesAndTheFutureOnly) {
  AttentionProblem p = small(8);
  const std::vector<std::int64_t> early{0, 1}, late{2, 3}, none;
  EXPECT_TRUE(sees_any(p, late, early));
  EXPECT_TRUE(sees_any(p, early, early));
  EXPECT_FALSE(sees_any(p, early, late));
  EXPECT_FALSE(sees_any(p, none, early));
  EXPECT_FALSE(sees_any(p, early, none));
  p.causal = false;
  EXPECT_TRUE(sees_any(p, early, late));
  EXPECT_FALSE(sees_any(p, none, late));
}

}  // namespace
}  // namespace bench::attention
