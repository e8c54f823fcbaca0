// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/cold_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <vector>

namespace bench::jobs {
namespace {

constexpr std::size_t kWordsPerLine = 64 / sizeof(std::uint64_t);
constexpr std::size_t kLines = 4096;  // 256 KiB: above every level 1, inside level 2 or at worst 3
constexpr std::size_t kWords = kLines * kWordsPerLine;
constexpr std::size_t kCache_bytes = 1 << 20;  // as a level 2: twice that is read in a tenth of a millisecond

/// A word of every line, in steps of 1031 lines (a prime, so that 4096 steps meet every line once): each step
/// lies on another page than the last, which hardware prefetchers do not follow. A plain sum would read
/// memory ahead, and unoptimised it would be bound by its own additions either way.
std::uint64_t sum_of_lines(const std::vector<std::uint64_t>& data) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0, line = 0; i < kLines; ++i, line = (line + 1031) % kLines)
    sum += data[line * kWordsPerLine];
  return sum;
}

double seconds_to_sum(const std::vector<std::uint64_t>& data, std::uint64_t expected) {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t sum = sum_of_lines(data);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(sum, expected);  // the sum is used, so it is made
  return spent.count();
}

std::vector<std::uint64_t> counted() {
  std::vector<std::uint64_t> data(kWords);
  std::iota(data.begin(), data.end(), std::uint64_t{1});
  return data;
}

/// Time of the sum after eviction over that from the caches: the median of pairs. Hot and cold alternate and
/// each pair has its own ratio, so a neighbour or a change of clock hits both, and pairs that one splits are
/// too few to move the median of 31.
double cold_over_hot(ColdCache& caches) {
  constexpr int kPairs = 31;
  const std::vector<std::uint64_t> data = counted();
  const std::uint64_t expected = sum_of_lines(data);
  const std::array parts{std::as_bytes(std::span(data))};
  std::vector<double> ratios;
  for (int i = 0; i < kPairs; ++i) {
    seconds_to_sum(data, expected);  // fills the caches for the hot half
    const double hot_s = seconds_to_sum(data, expected);
    caches.evict(parts);
    ratios.push_back(seconds_to_sum(data, expected) / hot_s);
  }
  std::ranges::nth_element(ratios, ratios.begin() + kPairs / 2);
  return ratios[kPairs / 2];
}

TEST(ColdCache, MakesASumTakeLongerThanItDoesFromTheCaches) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "only reading is available here, and that need not empty a level that cores share";
#endif
  // A line from memory costs some 80 ns, of which a core overlaps about ten: 8 ns. From level 2 it is 14
  // cycles with more of them in flight, about 1 ns; even from a far level 3 it is a third of memory's. So a
  // factor of 3 or more is there, optimised or not, and 1.5 leaves half of it to noise.
  constexpr double kFactor = 1.5;
  ColdCache both(kCache_bytes);
  EXPECT_GE(cold_over_hot(both), kFactor);
  ColdCache by_name(0);  // nothing is read: dropping the lines has to do it alone, down to the last level
  EXPECT_GE(cold_over_hot(by_name), kFactor);
}

TEST(ColdCache, ChangesNoByte) {
  std::vector<std::uint64_t> data = counted();
  ColdCache caches(kCache_bytes);
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t& word : data) word += round;  // dirty lines: dropping them must write them back first
    const std::vector<std::uint64_t> copy = data;
    const auto bytes = std::as_bytes(std::span(data));
    // Whole; from within a line to within another; one byte; nothing.
    const std::array parts{bytes, bytes.subspan(3, 1000), bytes.subspan(77, 1), bytes.subspan(5, 0),
                           std::span<const std::byte>()};
    caches.evict(parts);
    EXPECT_EQ(data, copy);
  }
}

TEST(ColdCache, SaysWhatItDoes) {
#if defined(__x86_64__)
  EXPECT_EQ(ColdCache::method(), "read+clflush");
#else
  EXPECT_EQ(ColdCache::method(), "read");
#endif
}

}  // namespace
}  // namespace bench::jobs
