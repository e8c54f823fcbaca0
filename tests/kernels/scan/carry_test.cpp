// SPDX-License-Identifier: Apache-2.0
// What travels between ranks: the broadcast of the last state, and how many bytes the scans across ranks
// send.
#include "kernels/scan/carry.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <numeric>

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

/// Bytes that each rank sent while a kernel ran once.
std::vector<std::int64_t> bytes_sent(const Kernel& kernel, std::int64_t seq, int ranks) {
  const Op& op = support::find_op(kernel.op);
  const auto problem = op.parse(params_with(op, {{"seq", seq},
                                                 {"channels", std::int64_t{24}},
                                                 {"batch", std::int64_t{2}},
                                                 {"ranks", std::int64_t{ranks}}}));
  const Tensors inputs = support::make_inputs(op, *problem, 1);
  const auto links = comm::make_thread_links(ranks);
  support::run_kernel(kernel, op, *problem, inputs, links);
  std::vector<std::int64_t> bytes;
  for (const auto& link : links) bytes.push_back(link->bytes_sent());
  return bytes;
}

TEST(Carry, WireBytesDoNotDependOnTheLength) {
  for (const char* name : {"scan/recurrence_ranks_cpu", "scan/selective_ranks_cpu"})
    for (const int ranks : {2, 3, 8})
      EXPECT_EQ(bytes_sent(support::find_kernel(name), 16, ranks),
                bytes_sent(support::find_kernel(name), 1600, ranks))
          << name << " P " << ranks;
}

TEST(Carry, RanksSendAtLeastTheMinimumAndAtMostTheStatedRounds) {
  for (const char* name : {"scan/recurrence_ranks_cpu", "scan/selective_ranks_cpu"}) {
    const Kernel& kernel = support::find_kernel(name);
    const Op& op = support::find_op(kernel.op);
    for (const int ranks : {2, 4, 8}) {
      const auto problem = op.parse(params_with(
          op, {{"channels", std::int64_t{24}}, {"batch", std::int64_t{2}}, {"ranks", std::int64_t{ranks}}}));
      const double record = op.cost(*problem).wire_bytes;
      const double rounds = static_cast<double>(std::bit_width(static_cast<unsigned>(ranks - 1)));
      const auto bytes = bytes_sent(kernel, 50, ranks);
      for (std::size_t r = 0; r < bytes.size(); ++r) {
        const double least = r + 1 < bytes.size() ? record : 0.0;  // the last rank's carry goes nowhere
        EXPECT_GE(static_cast<double>(bytes[r]), least) << name << " rank " << r;
        EXPECT_LE(static_cast<double>(bytes[r]), record * (2.0 * rounds + 1.0)) << name << " rank " << r;
      }
    }
  }
}

}  // namespace
}  // namespace bench::scan
