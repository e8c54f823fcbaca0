// SPDX-License-Identifier: Apache-2.0
// Packed sequences: where they are cut, how a share of the steps sees them, and what a user can set and read.
#include "kernels/scan/segments.hpp"

#include <gtest/gtest.h>

#include "kernels/ragged.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

using Steps = std::vector<std::int64_t>;

TEST(RaggedCuts, AreThatManyDifferentPlacesInAscendingOrder) {
  for (const std::int64_t extent : {1, 2, 9, 1000})
    for (const std::int64_t count : {std::int64_t{0}, extent / 3, extent - 1}) {
      const Steps cuts = ragged_cuts(count, extent);
      ASSERT_EQ(static_cast<std::int64_t>(cuts.size()), count);
      for (std::size_t i = 0; i < cuts.size(); ++i) {
        EXPECT_GT(cuts[i], i == 0 ? 0 : cuts[i - 1]);
        EXPECT_LT(cuts[i], extent);
      }
    }
}

TEST(RaggedCuts, FallEverywhere) {  // 499 of 999 places: each half of them is cut some 250 times, +- 8 by chance
  const Steps cuts = ragged_cuts(499, 1000);
  const auto low = std::ranges::count_if(cuts, [](std::int64_t t) { return t < 500; });
  EXPECT_NEAR(static_cast<double>(low), 250.0, 50.0);
}

TEST(RandomOrder, HoldsEveryIndexOnce) {
  auto order = random_order<std::int32_t>(CounterRng(3, "order"), 50);
  EXPECT_FALSE(std::ranges::is_sorted(order));
  std::ranges::sort(order);
  for (std::int32_t i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Segments, AreSeenFromAShareByItsOwnSteps) {
  const Steps starts{3, 4, 9};
  const Segments all{starts, 0}, share = all.from(4);  // its steps 0 and 5 are starts
  EXPECT_FALSE(all.start_at(0)) << "h0 is known there";
  EXPECT_TRUE(share.start_at(0));
  EXPECT_TRUE(share.start_at(5));
  EXPECT_FALSE(share.start_at(4));
  EXPECT_EQ(share.first_start({1, 20}), 5);
  EXPECT_EQ(share.first_start({6, 20}), 20) << "none: the end";
  EXPECT_EQ(share.last_start({0, 5}), 0);
  EXPECT_EQ(share.last_start({1, 5}), -1) << "none";
  EXPECT_EQ(share.last_start({0, 6}), 5);
}

TEST(Segments, GiveTheSamePiecesFromBothEnds) {
  const Steps none, some{1, 2, 30, 33, 96};
  for (const Steps& starts : {none, some}) {
    for (const std::int64_t offset : {0, 2, 31}) {
      for (const std::int64_t most : {1, 16, 64}) {
        const Segments segments{starts, offset};
        constexpr std::int64_t kRows = 100;
        std::vector<Range> forwards, backwards;
        for (Range r{}; r.end < kRows;) forwards.push_back(r = segments.piece_at(r.end, kRows, most));
        for (Range r{kRows, kRows}; r.begin > 0;) backwards.push_back(r = segments.piece_before(r.begin, most));
        ASSERT_EQ(forwards.size(), backwards.size());
        EXPECT_LE(static_cast<std::int64_t>(forwards.size()), segments.most_pieces(kRows, most));
        for (std::size_t i = 0; i < forwards.size(); ++i) {
          const Range& back = backwards[backwards.size() - 1 - i];
          EXPECT_EQ(forwards[i].begin, back.begin);
          EXPECT_EQ(forwards[i].end, back.end);
          EXPECT_LE(back.size(), most);
          EXPECT_EQ(segments.first_start({back.begin + 1, back.end}), back.end) << "a piece is of one sequence";
        }
      }
    }
  }
}

TEST(Segments, AreSetByOneParameterAndReadAsCuSeqlens) {
  for (const char* name : {"recurrence", "selective", "ssd"}) {
    const Op& op = support::find_op(name);
    const Params packed{{"seq", std::int64_t{9}}, {"segments", std::int64_t{4}}};
    const auto tables = op.tables(*op.parse(params_with(op, packed)));
    ASSERT_EQ(tables.size(), 1U);
    EXPECT_EQ(tables[0].name, "cu_seqlens");
    ASSERT_EQ(tables[0].values.size(), 5U);
    EXPECT_EQ(tables[0].values.front(), 0);
    EXPECT_EQ(tables[0].values.back(), 9);
    for (const std::int64_t wrong : {std::int64_t{0}, std::int64_t{10}}) {
      try {
        op.parse(params_with(op, {{"seq", std::int64_t{9}}, {"segments", wrong}}));
        ADD_FAILURE() << "segments = " << wrong << " was accepted";
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("segments = "), std::string::npos) << e.what();
      }
    }
  }
}

}  // namespace
}  // namespace bench::scan
