// SPDX-License-Identifier: Apache-2.0
// The order of tiles against brute force.
#include "kernels/attention/tile_scheduler.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

constexpr int kRows = 128, kKeys = 128;

DeviceJob job(int batch, int heads, int kv_heads, int seq, bool causal) {
  DeviceJob job{};
  job.batch = batch;
  job.heads = heads;
  job.group = heads / kv_heads;
  job.seq = job.kv_seq = seq;
  job.head_dim = 128;
  job.causal = causal;
  return job;
}

/// Blocks of keys that a tile looks at.
int work(const DeviceJob& job, Tile tile) {
  const KeyBlocks keys({job.seq, job.seq, job.window, job.causal}, tile.row_block * kRows, kRows, kKeys);
  return keys.end() - keys.begin();
}

/// L2 caches that hold no head, one, three, and everything.
template <class Check>
void for_orders(Check&& check) {
  for (const int batch : {1, 3})
    for (const auto& [heads, kv_heads] : {std::pair{1, 1}, std::pair{8, 2}, std::pair{7, 7}})
      for (const int seq : {1, 128, 1000})
        for (const bool causal : {false, true})
          for (const double holds : {0.5, 1.0, 3.0, 1e4}) {
            const DeviceJob of = job(batch, heads, kv_heads, seq, causal);
            const auto l2_bytes = static_cast<std::int64_t>(holds * static_cast<double>(kv_head_bytes(of)) * 50 / 32) + 50;
            SCOPED_TRACE(concat(batch, " x ", heads, '/', kv_heads, " heads, L ", seq, " causal ", causal, ", L2 holds ", holds));
            check(of, order_of_persistent_blocks(of, kRows, l2_bytes), l2_bytes);
          }
}

TEST(TileScheduler, NamesEveryTileOnce) {
  for_orders([](const DeviceJob& of, const TileOrder& order, std::int64_t) {
    for (const TileOrder& any : {order, order_of_blocks(of, kRows)}) {
      std::set<std::pair<int, int>> seen;
      for (int t = 0; t < any.tiles(); ++t) {
        const Tile tile = any.tile(t);
        EXPECT_TRUE(tile.head >= 0 && tile.head < of.batch * of.heads && tile.row_block >= 0 && tile.row_block * kRows < of.seq) << t;
        seen.emplace(tile.head, tile.row_block);
      }
      EXPECT_EQ(seen.size(), static_cast<std::size_t>(of.batch * of.heads * of.row_blocks(kRows)));
    }
  });
}

TEST(TileScheduler, KeepsASectionsKeysAndValuesWithinTheBudget) {
  for_orders([](const DeviceJob& of, const TileOrder& order, std::int64_t l2_bytes) {
    std::map<int, std::set<int>> kv_heads;  // of each section
    for (int t = 0; t < order.tiles(); ++t) kv_heads[t / (order.section_heads * order.row_blocks)].insert(order.tile(t).head / of.group);
    std::set<int> all;
    std::size_t most = 0;
    for (const auto& [section, heads] : kv_heads) {
      most = std::max(most, heads.size());
      EXPECT_TRUE(heads.size() == 1 || static_cast<std::int64_t>(heads.size()) * kv_head_bytes(of) <= l2_budget_bytes(l2_bytes)) << heads.size() << " heads";
      for (const int head : heads) EXPECT_TRUE(all.insert(head).second) << "a head is in two sections";
    }
    for (const auto& [section, heads] : kv_heads)
      EXPECT_TRUE(heads.size() == most || section + 1 == static_cast<int>(kv_heads.size())) << "only the last section may have fewer";
  });
}

TEST(TileScheduler, PutsTheHeaviestTilesOfASectionFirst) {
  for_orders([](const DeviceJob& of, const TileOrder& order, std::int64_t) {
    const int section = order.section_heads * order.row_blocks;
    for (int t = 1; t < order.tiles(); ++t)
      EXPECT_TRUE(t % section == 0 || work(of, order.tile(t)) <= work(of, order.tile(t - 1))) << t;
  });
}

TEST(TileScheduler, DealsOutTilesAsBlocksFallFreeOnlyWhereTheyDiffer) {
  EXPECT_FALSE(order_of_persistent_blocks(job(1, 8, 8, 1000, false), kRows, 1 << 20).dynamic);
  EXPECT_TRUE(order_of_persistent_blocks(job(1, 8, 8, 1000, true), kRows, 1 << 20).dynamic);
  DeviceJob windowed = job(1, 8, 8, 1000, false);
  windowed.window = 100;
  EXPECT_TRUE(order_of_persistent_blocks(windowed, kRows, 1 << 20).dynamic);
  DeviceJob padded = job(1, 8, 8, 1000, false);
  const std::int32_t lengths[] = {10};
  padded.key_lengths = lengths;
  EXPECT_TRUE(order_of_persistent_blocks(padded, kRows, 1 << 20).dynamic);
}

TEST(TileScheduler, CutsHeadsIntoSectionsAsEvenAsTheyGo) {
  const DeviceJob of = job(1, 16, 8, 1000, true);  // eight key/value heads, of which seven would fit: four and four, not seven and one
  EXPECT_EQ(order_of_persistent_blocks(of, kRows, 7 * kv_head_bytes(of) / 32 * 50 + 50).section_heads, 4 * 2);
}

}  // namespace
}  // namespace bench::attention
