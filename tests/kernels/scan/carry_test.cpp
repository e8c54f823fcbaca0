// SPDX-License-Identifier: Apache-2.0
// What travels between ranks: the broadcast of the last state, the three ways to a rank's start state, and
// how many bytes the scans across ranks send.
#include "kernels/scan/carry.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>

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

/// Bytes that each rank sent while a kernel ran once.
std::vector<std::int64_t> bytes_sent(const std::string& name, const Shape2& shape, std::int64_t seq,
                                     int ranks) {
  const Kernel& kernel = support::find_kernel(name);
  const Op& op = support::find_op(kernel.op);
  Params changes{
      {"seq", seq}, {"channels", shape.channels}, {"batch", shape.batch}, {"ranks", std::int64_t{ranks}}};
  if (kernel.op == "selective") changes["state"] = std::int64_t{3};
  const auto problem = op.parse(params_with(op, changes));
  const Tensors inputs = support::make_inputs(op, *problem, 1);
  const auto links = comm::make_thread_links(ranks);
  support::run_kernel(kernel, op, *problem, inputs, links);
  std::vector<std::int64_t> bytes;
  for (const auto& link : links) bytes.push_back(link->bytes_sent());
  return bytes;
}

/// A kernel across ranks, its exchange, and the fp32 numbers in its record and state per entry and channel
/// (three states a channel in the selective cases).
struct Traffic {
  const char* kernel;
  Exchange how;
  std::int64_t record, state;
};
constexpr Traffic kTraffic[] = {
    {"scan/recurrence_ranks_cpu", Exchange::exscan, 2, 1},
    {"scan/recurrence_chain_cpu", Exchange::chain, 2, 1},
    {"scan/recurrence_allgather_cpu", Exchange::allgather, 2, 1},
    {"scan/selective_ranks_cpu", Exchange::exscan, 4, 3},
    {"scan/selective_chain_cpu", Exchange::chain, 4, 3},
    {"scan/selective_allgather_cpu", Exchange::allgather, 4, 3},
};

/// How often `rank` sends in broadcast_from_last.
std::int64_t broadcast_sends(int rank, int ranks) {
  const int place = ranks - 1 - rank;
  std::int64_t sends = 0;
  for (int d = 1; d < ranks; d *= 2) sends += place < d && place + d < ranks ? 1 : 0;
  return sends;
}

/// The closed form: bytes that `rank` sends for its start state and for h_last.
std::int64_t expected_bytes(const Traffic& traffic, const Shape2& shape, int rank, int ranks) {
  const std::int64_t unit = shape.batch * shape.channels * 4;
  const std::int64_t record = traffic.record * unit, state = traffic.state * unit;
  const bool last = rank + 1 == ranks;
  std::int64_t sum = broadcast_sends(rank, ranks) * state;
  if (traffic.how == Exchange::chain) sum += last ? 0 : state;
  if (traffic.how == Exchange::allgather) sum += (ranks - 1) * record;
  if (traffic.how != Exchange::exscan) return sum;
  for (int d = 1; d < ranks; d *= 2) sum += rank + d < ranks ? record : 0;
  return sum + (last ? 0 : record);
}

TEST(Carry, RanksSendWhatTheClosedFormSays) {
  constexpr Shape2 kShape{2, 24};
  for (const Traffic& traffic : kTraffic) {
    for (const int ranks : {1, 2, 3, 4, 8}) {
      const auto bytes = bytes_sent(traffic.kernel, kShape, 50, ranks);
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
    for (const std::int64_t seq : {5, 4 << 10, 16 << 10, 64 << 10, 256 << 10})
      for (const int ranks : {2, 8}) {
        const auto bytes = bytes_sent(traffic.kernel, kShape, seq, ranks);
        for (int r = 0; r < ranks; ++r)
          EXPECT_EQ(bytes[static_cast<std::size_t>(r)], expected_bytes(traffic, kShape, r, ranks))
              << traffic.kernel << " L " << seq << " rank " << r << " of " << ranks;
      }
}

TEST(Carry, NoRankSendsLessThanTheCostModelsLeast) {
  constexpr Shape2 kShape{2, 24};
  for (const Traffic& traffic : kTraffic) {
    const Op& op = support::find_op(support::find_kernel(traffic.kernel).op);
    Params changes{{"batch", kShape.batch}, {"channels", kShape.channels}, {"ranks", std::int64_t{4}}};
    if (op.name == "selective") changes["state"] = std::int64_t{3};
    const double least = op.cost(*op.parse(params_with(op, changes))).wire_bytes;
    for (int r = 0; r < 3; ++r)  // the last rank's carry goes nowhere
      EXPECT_GE(static_cast<double>(expected_bytes(traffic, kShape, r, 4)), least) << traffic.kernel;
    if (traffic.how != Exchange::chain) continue;
    EXPECT_EQ(static_cast<double>(expected_bytes(traffic, kShape, 1, 4)), least)
        << traffic.kernel << ": a rank in the middle sends the least there is";
  }
}

}  // namespace
}  // namespace bench::scan
