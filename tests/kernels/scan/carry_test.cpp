// SPDX-License-Identifier: Apache-2.0
// What travels between ranks: the broadcast of the last state, the three ways to a rank's start state, and
// how many bytes the scans across ranks send.
#include "kernels/scan/carry.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "kernels/scan/recurrence_record.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

TEST(Carry, BroadcastGivesEveryRankTheLastOnesBytes) {
  for (const int ranks : {1, 2, 3, 4, 5, 8, 13}) {  // powers of two, one beside, and odd ones
    comm::run_on_threads(ranks, [&](Link& link) {
      std::array<std::int32_t, 3> words{link.rank(), 10 * link.rank(), -1};
      broadcast_from_last(link, std::as_writable_bytes(std::span(words)));
      EXPECT_EQ(words, (std::array<std::int32_t, 3>{ranks - 1, 10 * (ranks - 1), -1}))
          << "rank " << link.rank() << " of " << ranks;
    });
  }
}

/// Two channels whose states stay whole numbers below 2^53, so that every order of operations gives the same.
TEST(Carry, EveryExchangeGivesTheStateThatTheLowerRanksLeave) {
  const std::array<double, 2> first{3.0, -1.0};
  const auto product = [](int rank, std::size_t c) {
    return static_cast<double>((rank + static_cast<int>(c)) % 3 - 1);
  };
  const auto end = [](int rank, std::size_t c) {
    return static_cast<double>(7 * rank) - 2.0 * static_cast<double>(c);
  };
  for (const Exchange how : {Exchange::exscan, Exchange::chain, Exchange::allgather}) {
    for (const int ranks : {1, 2, 3, 4, 5, 8, 13}) {
      comm::run_on_threads(ranks, [&](Link& link) {
        std::array<double, 4> record{};
        std::array<double, 2> state = first, want = first;
        for (std::size_t c = 0; c < 2; ++c) {
          record[c] = product(link.rank(), c);
          record[2 + c] = end(link.rank(), c);
          for (int r = 0; r < link.rank(); ++r) want[c] = product(r, c) * want[c] + end(r, c);
        }
        std::vector<std::byte> room(
            static_cast<std::size_t>(exchange_room(how, ranks, sizeof record, sizeof state)));
        start_state(how, link, recurrence_rules<double>(), std::as_writable_bytes(std::span(record)),
                    std::as_writable_bytes(std::span(state)), room);
        EXPECT_EQ(state, want) << "rank " << link.rank() << " of " << ranks << ", exchange "
                               << static_cast<int>(how);
      });
    }
  }
}

struct Shape2 {
  std::int64_t batch, channels;
};

/// A kernel across ranks, its exchange, and the fp32 numbers in its record and state per entry and channel
/// (three states a channel in the selective cases).
struct Traffic {
  const char* kernel;
  Exchange how;
  std::int64_t record, state;
  bool backward() const { return std::string(kernel).find("_bwd_") != std::string::npos; }
};
constexpr Traffic kTraffic[] = {
    {"scan/recurrence_ranks_cpu", Exchange::exscan, 2, 1},
    {"scan/recurrence_chain_cpu", Exchange::chain, 2, 1},
    {"scan/recurrence_allgather_cpu", Exchange::allgather, 2, 1},
    {"scan/recurrence_ranks_bwd_cpu", Exchange::exscan, 2, 1},
    {"scan/recurrence_chain_bwd_cpu", Exchange::chain, 2, 1},
    {"scan/recurrence_allgather_bwd_cpu", Exchange::allgather, 2, 1},
    {"scan/selective_ranks_cpu", Exchange::exscan, 4, 3},
    {"scan/selective_chain_cpu", Exchange::chain, 4, 3},
    {"scan/selective_allgather_cpu", Exchange::allgather, 4, 3},
    {"scan/selective_ranks_bwd_cpu", Exchange::exscan, 4, 3},
    {"scan/selective_chain_bwd_cpu", Exchange::chain, 4, 3},
    {"scan/selective_allgather_bwd_cpu", Exchange::allgather, 4, 3},
};

/// How often `rank` sends in broadcast_from_last.
std::int64_t broadcast_sends(int rank, int ranks) {
  const int place = ranks - 1 - rank;
  std::int64_t sends = 0;
  for (int d = 1; d < ranks; d *= 2) sends += place < d && place + d < ranks ? 1 : 0;
  return sends;
}

/// What `rank` sends in start_state.
std::int64_t exchange_bytes(Exchange how, std::int64_t record, std::int64_t state, int rank, int ranks) {
  const bool last = rank + 1 == ranks;
  if (how == Exchange::chain) return last ? 0 : state;
  if (how == Exchange::allgather) return (ranks - 1) * record;
  std::int64_t sum = last ? 0 : record;
  for (int d = 1; d < ranks; d *= 2) sum += rank + d < ranks ? record : 0;
  return sum;
}

/// The closed form of a whole call, where every rank has steps.
std::int64_t expected_bytes(const Traffic& traffic, const Shape2& shape, int rank, int ranks) {
  const std::int64_t unit = shape.batch * shape.channels * 4;  // one fp32 per entry and channel
  const std::int64_t record = traffic.record * unit, state = traffic.state * unit;
  const auto one_way = [&](int r) { return exchange_bytes(traffic.how, record, state, r, ranks); };
  if (!traffic.backward()) return one_way(rank) + broadcast_sends(rank, ranks) * state;
  const int mirrored = ranks - 1 - rank;
  if (traffic.state == 1)  // the recurrence: a row of h to the next rank, carries and dh0
    return (rank + 1 < ranks ? unit : 0) + one_way(mirrored) + broadcast_sends(mirrored, ranks) * state;
  const std::int64_t sums = shape.channels * (3 + 2) * 4;  // dA, dD, ddelta_bias: summed on rank 0
  return one_way(rank) + one_way(mirrored) + (rank > 0 ? sums : 0) +
         broadcast_sends(mirrored, ranks) * (sums + state);
}

/// The op's parameters of a case; fp32.
Params case_of(const Traffic& traffic, const Shape2& shape, std::int64_t seq, int ranks) {
  const Op& op = support::find_op(support::find_kernel(traffic.kernel).op);
  Params changes{{"seq", seq},
                 {"channels", shape.channels},
                 {"batch", shape.batch},
                 {"ranks", std::int64_t{ranks}},
                 {"pass", std::string(traffic.backward() ? "bwd" : "fwd")}};
  if (op.name == "selective") changes["state"] = std::int64_t{3};
  return params_with(op, changes);
}

/// Bytes that each rank sent while a kernel ran once.
std::vector<std::int64_t> bytes_sent(const Traffic& traffic, const Shape2& shape, std::int64_t seq,
                                     int ranks) {
  const Kernel& kernel = support::find_kernel(traffic.kernel);
  const Op& op = support::find_op(kernel.op);
  const auto problem = op.parse(case_of(traffic, shape, seq, ranks));
  const Tensors inputs = support::make_inputs(op, *problem, 1);
  const auto links = comm::make_thread_links(ranks);
  support::run_kernel(kernel, op, *problem, inputs, links);
  std::vector<std::int64_t> bytes;
  for (const auto& link : links) bytes.push_back(link->bytes_sent());
  return bytes;
}

TEST(Carry, RanksSendWhatTheClosedFormSays) {
  constexpr Shape2 kShape{2, 24};
  for (const Traffic& traffic : kTraffic) {
    for (const int ranks : {1, 2, 3, 4, 8}) {
      const auto bytes = bytes_sent(traffic, kShape, 50, ranks);
      for (int r = 0; r < ranks; ++r)
        EXPECT_EQ(bytes[static_cast<std::size_t>(r)], expected_bytes(traffic, kShape, r, ranks))
            << traffic.kernel << " rank " << r << " of " << ranks;
    }
  }
}

// One channel and one entry: the lengths are what counts, and the largest has a quarter of a million steps.
TEST(Carry, WireBytesDoNotDependOnTheLength) {
  constexpr Shape2 kShape{1, 1};
  for (const Traffic& traffic : kTraffic)
    for (const std::int64_t seq : {8, 4 << 10, 16 << 10, 64 << 10, 256 << 10})
      for (const int ranks : {2, 8}) {
        const auto bytes = bytes_sent(traffic, kShape, seq, ranks);
        for (int r = 0; r < ranks; ++r)
          EXPECT_EQ(bytes[static_cast<std::size_t>(r)], expected_bytes(traffic, kShape, r, ranks))
              << traffic.kernel << " L " << seq << " rank " << r << " of " << ranks;
      }
}

TEST(Carry, NoRankSendsLessThanTheCostModelsLeast) {
  constexpr Shape2 kShape{2, 24};
  constexpr int kRanks = 4;
  for (const Traffic& traffic : kTraffic) {
    const Op& op = support::find_op(support::find_kernel(traffic.kernel).op);
    const double least = op.cost(*op.parse(case_of(traffic, kShape, 64, kRanks))).wire_bytes;
    for (const int rank : {1, 2})  // at the ends there are neighbours who need nothing
      EXPECT_GE(static_cast<double>(expected_bytes(traffic, kShape, rank, kRanks)), least) << traffic.kernel;
    // The chain's ranks in the middle send the least there is, where the broadcast does not pass through
    // them.
    const int middle = traffic.backward() ? 2 : 1;
    if (traffic.how != Exchange::chain) continue;
    EXPECT_EQ(static_cast<double>(expected_bytes(traffic, kShape, middle, kRanks)), least) << traffic.kernel;
  }
}

TEST(Carry, ReduceAddsUpAllRanksOnTheLastInOneOrder) {
  for (const int ranks : {1, 2, 3, 4, 5, 8, 13}) {
    comm::run_on_threads(ranks, [&](Link& link) {
      std::array<std::int64_t, 2> mine{link.rank() + 1, std::int64_t{1} << (2 * link.rank())}, room{};
      const auto add = [](std::span<const std::byte> other, std::span<std::byte> sum) {
        for (std::size_t i = 0; i < 2; ++i)
          reinterpret_cast<std::int64_t*>(sum.data())[i] +=
              reinterpret_cast<const std::int64_t*>(other.data())[i];
      };
      reduce_to_last(link, std::as_writable_bytes(std::span(mine)), std::as_writable_bytes(std::span(room)),
                     add);
      EXPECT_EQ(link.bytes_sent(), link.rank() + 1 < ranks ? 16 : 0);
      if (link.rank() + 1 < ranks) return;
      EXPECT_EQ(mine[0], std::int64_t{ranks} * (ranks + 1) / 2);
      EXPECT_EQ(mine[1], ((std::int64_t{1} << (2 * ranks)) - 1) / 3) << "every rank once";
    });
  }
}

}  // namespace
}  // namespace bench::scan
