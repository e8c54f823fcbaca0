// SPDX-License-Identifier: Apache-2.0
// Links that keep a tape, and links that say nothing.
#include "src/comm/link_taped.hpp"

#include <gtest/gtest.h>

#include "src/comm/link_muted.hpp"
#include "src/comm/link_threads.hpp"
#include "src/core/error.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::comm {
namespace {

TEST(TapedLink, KeepsTheLawsOfALinkButCountsBelow) {
  for (const test::LinkLaw& law : test::kLinkLaws) {
    if (law.check == test::law_bytes_sent_counts_payload_to_others || law.check == test::law_collectives_count_what_has_to_be_sent) continue;
    SCOPED_TRACE(law.name);
    for (const int ranks : {1, 2, 3})
      run_on_threads(ranks, [&](Link& link) {
        TapedLink taped(link);
        law.check(taped);
      });
  }
}

/// Every kind of call, with messages in a frame that is gone when the tape plays.
void talk(Link& link) {
  const int me = link.rank(), p = link.size();
  std::vector<std::byte> out(24, static_cast<std::byte>(me)), in(24), all(24 * static_cast<std::size_t>(p)), mine(24);
  const auto first = link.post(out, (me + 1) % p, in, (me + p - 1) % p);
  std::vector<std::byte> back(8);
  const auto second = link.post(back, (me + p - 1) % p, back, (me + 1) % p);
  second->wait();
  first->wait();
  link.allgather(out, all);
  link.transport_allgather(out, all);
  link.allreduce(DType::f32, out, mine);
  link.reduce_scatter(DType::f32, all, mine);
  std::vector<std::byte> gathered(all.size());
  link.alltoall(all, gathered);
  link.exscan(mine, out, [](auto, auto) {});
  link.barrier();
}

TEST(TapedLink, PlaysAsManyBytesAgainAndAgain) {
  for (const int ranks : {1, 2, 4})
    run_on_threads(ranks, [](Link& link) {
      TapedLink taped(link);
      const auto before = link.bytes_sent();
      talk(taped);
      const auto of_a_call = link.bytes_sent() - before;
      for (int play = 1; play <= 3; ++play) {
        taped.play();
        EXPECT_EQ(link.bytes_sent() - before, (play + 1) * of_a_call);
      }
      EXPECT_EQ(of_a_call > 0, link.size() > 1);
    });
}

TEST(TapedLink, PlaysInTheOrderOfPostsAndWaits) {
  // Rank 1 answers only what it was asked: a wait that came before its post, or a post after the wait of the next, would never end.
  run_on_threads(2, [](Link& link) {
    TapedLink taped(link);
    const int other = 1 - link.rank();
    std::vector<std::byte> word(4, std::byte{9});
    for (int round = 0; round < 3; ++round) {
      if (link.rank() == 0) taped.sendrecv(word, other, {}, other);
      if (link.rank() == 1) taped.sendrecv({}, other, word, other);
      if (link.rank() == 0) taped.sendrecv({}, other, word, other);
      if (link.rank() == 1) taped.sendrecv(word, other, {}, other);
    }
    const DeadlineGuard deadline(link, 60.0);
    for (int play = 0; play < 10; ++play) taped.play();
  });
}

TEST(TapedLink, LeavesNothingUnderWayWhenAPlayFails) {
  run_on_threads(2, [](Link& link) {
    TapedLink taped(link);
    std::vector<std::byte> word(4);
    taped.sendrecv(word, 1 - link.rank(), word, 1 - link.rank());
    if (link.rank() == 1) return;  // and never plays
    const DeadlineGuard deadline(link, 0.05);
    EXPECT_THROW(taped.play(), Error);
    EXPECT_TRUE(link.broken());
  });
}

TEST(MutedLink, SendsNothingAndWaitsForNobody) {
  run_on_threads(3, [](Link& link) {
    MutedLink muted(link);
    EXPECT_EQ(muted.rank(), link.rank());
    EXPECT_EQ(muted.size(), 3);
    if (link.rank() != 1) return;  // nobody else is there to answer
    talk(muted);
    EXPECT_EQ(link.bytes_sent(), 0);
  });
}

TEST(MutedLink, CopiesARanksOwnPart) {
  run_on_threads(2, [](Link& link) {
    MutedLink muted(link);
    const std::vector<std::byte> mine(4, std::byte{5});
    std::vector<std::byte> all(8), sum(4);
    muted.allgather(mine, all);
    EXPECT_EQ(all[static_cast<std::size_t>(4 * link.rank())], std::byte{5});
    EXPECT_EQ(all[static_cast<std::size_t>(4 * (1 - link.rank()))], std::byte{0});
    muted.allreduce(DType::f32, mine, sum);
    EXPECT_EQ(sum, mine);
  });
}

}  // namespace
}  // namespace bench::comm
