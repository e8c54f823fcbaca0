// SPDX-License-Identifier: Apache-2.0
// The kernels that a device's memory is measured with, thread by thread on the host: what they move, and what their results must be for the
// rate to count.
#include "jobs/stream_sweep.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "jobs/stream_bodies.hpp"
#include "src/core/error.hpp"

namespace bench::jobs {
namespace {

struct Piece {
  std::uint32_t x = 0, y = 0, z = 0, w = 0;
  bool operator==(const Piece&) const = default;
};

constexpr std::int64_t kSms = 3;  // 6144 threads: the sizes below lie on both sides of that
constexpr std::int64_t kTraffic = 1 << 20;
// One piece; fewer pieces than threads; as many; one more; a number that shares no factor with them and takes several rounds.
constexpr std::int64_t kPieces[]{1, 1000, 6144, 6145, 20011};

Walk walk_of(const Sweep& sweep) { return {sweep.count, sweep.step(), sweep.visits}; }

std::vector<Piece> array(std::int64_t pieces, std::uint32_t times) {
  std::vector<Piece> made;
  for (std::int64_t i = 0; i < pieces; ++i) made.push_back(words_of<Piece>(static_cast<std::uint32_t>(i), times));
  return made;
}

/// Calls body(thread) for all threads of the sweep, the last one first: no thread may count on another.
template <class Body>
void all_threads(const Sweep& sweep, Body&& body) {
  for (std::int64_t t = sweep.threads(); t-- > 0;) body(static_cast<std::uint32_t>(t));
}

TEST(Sweep, ComesToEveryPieceByTurnsAndMovesWhatWasAskedFor) {
  for (const std::int64_t pieces : kPieces) {
    const Sweep sweep = sweep_of(pieces * kPieceBytes, kSms, kTraffic);
    EXPECT_GE(sweep.pieces() * kPieceBytes, kTraffic);
    std::vector<std::int64_t> visits(static_cast<std::size_t>(pieces));
    all_threads(sweep, [&](std::uint32_t thread) {
      walk_over(thread, walk_of(sweep), [&](const std::uint32_t* taken) {
        for (int k = 0; k < kAtOnce; ++k) ++visits.at(taken[k]);
      });
    });
    const auto [least, most] = std::minmax_element(visits.begin(), visits.end());
    EXPECT_GE(*least, 1) << pieces;
    EXPECT_LE(*most - *least, 1) << pieces << ": no piece is favoured";
  }
}

TEST(Sweep, OverNothingOrMoreThanItCanCountIsRefused) {
  EXPECT_THROW(sweep_of(0, 1, 1), Error);
  EXPECT_THROW(sweep_of((std::int64_t{1} << 31) * kPieceBytes, 1, 1), Error);
}

TEST(StreamKernels, ReadEveryWordAsOftenAsTheSumSays) {
  for (const std::int64_t pieces : kPieces) {
    const Sweep sweep = sweep_of(pieces * kPieceBytes, kSms, kTraffic);
    const std::vector<Piece> from = array(pieces, 1);
    std::uint32_t sum = 0;
    all_threads(sweep, [&](std::uint32_t thread) { sum += read_pieces(thread, walk_of(sweep), from.data(), [](const Piece* p) { return *p; }); });
    EXPECT_EQ(sum, sum_of_words(sweep, 1)) << pieces;
  }
}

TEST(StreamKernels, ThatLeaveOutAPieceGiveAnotherSum) {
  const Sweep sweep = sweep_of(6145 * kPieceBytes, kSms, kTraffic);
  const std::vector<Piece> from = array(6145, 1);
  std::uint32_t sum = 0;
  const auto blind = [&](const Piece* p) { return p == &from[6144] ? Piece{} : *p; };
  all_threads(sweep, [&](std::uint32_t thread) { sum += read_pieces(thread, walk_of(sweep), from.data(), blind); });
  EXPECT_NE(sum, sum_of_words(sweep, 1));
}

TEST(StreamKernels, CopyAndAddUpEveryWord) {
  for (const std::int64_t pieces : kPieces) {
    const Sweep sweep = sweep_of(pieces * kPieceBytes, kSms, kTraffic);
    const std::vector<Piece> a = array(pieces, 1), b = array(pieces, 5);
    std::vector<Piece> copied(a.size()), summed(a.size());
    const auto load = [](const Piece* p) { return *p; };
    all_threads(sweep, [&](std::uint32_t thread) {
      copy_pieces(thread, walk_of(sweep), a.data(), copied.data(), load);
      triad_pieces(thread, walk_of(sweep), a.data(), b.data(), summed.data(), load);
    });
    EXPECT_EQ(copied, a) << pieces;
    EXPECT_EQ(summed, array(pieces, 1 + 3 * 5)) << pieces;
  }
}

TEST(StreamKernels, TakeExponentialsThatEndAtTheFixedPoint) {
  EXPECT_NEAR(std::exp2(-static_cast<double>(kFixedPoint)), static_cast<double>(kFixedPoint), 1e-7) << "it is one";
  for (const std::uint32_t thread : {0U, 31U, 77U}) {
    const float sum = exponential_chains(thread, 64, [](float x) { return std::exp2(x); });
    EXPECT_NEAR(sum, static_cast<float>(kChains) * kFixedPoint, 1e-5F);
    const float begun = exponential_chains(thread, 1, [](float x) { return std::exp2(x); });
    EXPECT_GT(std::abs(begun - static_cast<float>(kChains) * kFixedPoint), 1e-2F) << "one that stops early is told apart";
  }
}

}  // namespace
}  // namespace bench::jobs
