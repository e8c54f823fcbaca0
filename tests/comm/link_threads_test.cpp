// SPDX-License-Identifier: Apache-2.0
// The links that need no MPI: LinkSelf and ranks as threads.
#include "src/comm/link_threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <tuple>

#include "src/comm/link_self.hpp"
#include "src/core/error.hpp"
#include "tests/support/deadline_laws.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::comm {
namespace {

using test::Bytes;
using test::LinkLaw;

class ThreadLinkLaws : public ::testing::TestWithParam<std::tuple<LinkLaw, int>> {};

TEST_P(ThreadLinkLaws, Hold) {
  const auto& [law, size] = GetParam();
  run_on_threads(size, law.check);
}

// 1: alone; 2: both neighbours are the same rank; 3: not a power of two; 4 and 8: full doubling rounds of
// exscan.
INSTANTIATE_TEST_SUITE_P(Threads, ThreadLinkLaws,
                         ::testing::Combine(::testing::ValuesIn(test::kLinkLaws),
                                            ::testing::Values(1, 2, 3, 4, 5, 8)),
                         [](const auto& law) {
                           return std::string(std::get<0>(law.param).name) + "_on_" +
                                  std::to_string(std::get<1>(law.param));
                         });

class ThreadDeadlineLaws : public ::testing::TestWithParam<std::tuple<test::DeadlineLaw, int>> {};

TEST_P(ThreadDeadlineLaws, Hold) {
  const auto& [law, size] = GetParam();
  run_on_threads(size, law.check);
}

// 2: the pair; 3: a rank that hears of it from another; 4: two rounds of every doubling scheme.
INSTANTIATE_TEST_SUITE_P(Threads, ThreadDeadlineLaws,
                         ::testing::Combine(::testing::ValuesIn(test::kDeadlineLaws),
                                            ::testing::Values(2, 3, 4)),
                         [](const auto& law) {
                           return std::string(std::get<0>(law.param).name) + "_on_" +
                                  std::to_string(std::get<1>(law.param));
                         });

class SelfLinkLaws : public ::testing::TestWithParam<LinkLaw> {};

TEST_P(SelfLinkLaws, Hold) {
  LinkSelf link;
  GetParam().check(link);
}

INSTANTIATE_TEST_SUITE_P(Self, SelfLinkLaws, ::testing::ValuesIn(test::kLinkLaws),
                         [](const auto& law) { return std::string(law.param.name); });

TEST(LinkSelf, RefusesAnotherRankAndUnequalLengths) {
  LinkSelf link;
  Bytes four(4), five(5);
  EXPECT_THROW(link.post(four, 1, four, 0), Error);
  EXPECT_THROW(link.post(four, 0, five, 0), Error);
  EXPECT_THROW(link.allgather(four, five), Error);
}

TEST(LinkSelf, NeverWaitsSoADeadlineInThePastIsNoMatter) {
  LinkSelf link;
  link.set_deadline(-1.0);
  Bytes out{std::byte{7}}, in(1);
  link.sendrecv(out, 0, in, 0);
  link.barrier();
  EXPECT_TRUE(in == out);
  EXPECT_FALSE(link.broken());
}

TEST(LinkThreads, ATimeoutOfOneRankIsTheEndForPeersWithoutADeadline) {
  std::atomic<int> comm_errors{0};
  const auto body = [&](Link& link) {
    Bytes in(8);
    if (link.rank() == 0) link.set_deadline(test::kShort_s);
    try {
      link.sendrecv({}, link.rank(), in, 1 - link.rank());  // each waits for the other
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::comm) ++comm_errors;
      throw;
    }
  };
  try {
    run_on_threads(2, body);
    FAIL() << "two ranks that wait for each other came back";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::timeout) << "the cause, not the echo: " << error.what();
  }
  EXPECT_EQ(comm_errors.load(), 1);
}

TEST(LinkThreads, AVoteIsNotTakenForTheMessageOfAKernel) {
  const auto body = [](Link& link) {
    Bytes eight(8), all(16);
    if (link.rank() == 0) return link.allgather(eight, all);  // left the kernel early and votes
    link.sendrecv(eight, 0, eight, 0);
    ADD_FAILURE() << "took a vote of the same length for its message";
  };
  EXPECT_THROW(run_on_threads(2, body), Error);
}

TEST(LinkThreads, RefusesRanksOutsideTheGroupAndUnequalLengths) {
  const auto links = make_thread_links(2);
  Bytes four(4), five(5);
  EXPECT_THROW(links[0]->post(four, 2, four, 1), Error);
  EXPECT_THROW(links[0]->post(four, 1, four, -1), Error);
  EXPECT_THROW(links[0]->allgather(four, five), Error);
  EXPECT_THROW(make_thread_links(0), Error);
  EXPECT_THROW(run_on_threads(2,
                              [](Link& link) {
                                Bytes out(link.rank() == 0 ? 4 : 5), in(4);
                                link.sendrecv(out, 1 - link.rank(), in, 1 - link.rank());
                              }),
               Error);
}

TEST(LinkThreads, NobodyLeavesTheBarrierBeforeTheLastHasEntered) {
  std::atomic<int> entered{0};
  run_on_threads(4, [&](Link& link) {
    for (int round = 1; round <= 50;
         ++round) {  // repeated, so that a barrier that forgets to close again is caught
      ++entered;
      link.barrier();
      EXPECT_GE(entered.load(), 4 * round);
      link.barrier();
    }
  });
}

// The three places where a rank can be stuck. Without the poison each of these would hang.
TEST(LinkThreads, AThrowingRankWakesPeersThatWaitForItsMessage) {
  std::atomic<int> woken{0};
  const auto body = [&](Link& link) {
    if (link.rank() == 1) throw std::runtime_error("rank one gave up");
    Bytes in(8);
    try {
      link.sendrecv({}, link.rank(), in, 1);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("rank one gave up"), std::string::npos) << error.what();
      ++woken;
      throw;
    }
  };
  EXPECT_THROW(run_on_threads(3, body), std::runtime_error);
  EXPECT_EQ(woken.load(), 2);
}

TEST(LinkThreads, AThrowingRankWakesPeersAtABarrierAndInACollective) {
  for (const int size : {2, 4}) {
    const auto body = [](Link& link) {
      if (link.rank() == 0) throw std::runtime_error("gone");
      Bytes mine(3), all(3 * static_cast<std::size_t>(link.size()));
      if (link.rank() % 2 == 1) link.barrier();
      link.allgather(mine, all);
    };
    EXPECT_THROW(run_on_threads(size, body), std::runtime_error);
  }
}

TEST(LinkThreads, TheFirstReasonOfAnAbortStaysAndLaterCallsThrowIt) {
  const auto links = make_thread_links(2);
  abort_thread_links(*links[0], "first");
  abort_thread_links(*links[1], "second");
  try {
    links[1]->barrier();
    FAIL() << "the barrier of an aborted group returned";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("first"), std::string::npos) << error.what();
  }
  LinkSelf self;
  EXPECT_THROW(abort_thread_links(self, "not mine"), Error);
}

TEST(RunOnThreads, RethrowsTheCauseAndNotTheEchoes) {
  const auto body = [](Link& link) {
    if (link.rank() == 2) throw std::out_of_range("the cause");
    link.barrier();
  };
  EXPECT_THROW(run_on_threads(4, body), std::out_of_range);
}

}  // namespace
}  // namespace bench::comm
