// SPDX-License-Identifier: Apache-2.0
// A program for mpirun, at 1 to 4 ranks: the link laws over MPI, and the communicator, blocks and sleepy
// waits under them. Only rank 0 reports the run; a failing rank says so itself, and one failure makes every
// rank exit non-zero.
#include <gtest/gtest.h>
#include <mpi.h>

#include <ctime>
#include <iostream>
#include <string>
#include <thread>
#include <tuple>

#include "src/comm/block_links.hpp"
#include "src/comm/communicator.hpp"
#include "src/comm/link_kind.hpp"
#include "src/comm/link_mpi.hpp"
#include "src/comm/mpi_check.hpp"
#include "src/comm/session.hpp"
#include "tests/support/deadline_laws.hpp"
#include "tests/support/fault_laws.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::comm {
namespace {

const Session* session = nullptr;  // main's; gtest gives tests no other way to reach it

using test::Bytes;
using test::LinkLaw;

// Both kinds between processes, as a run makes them.
constexpr LinkKind kHostKinds[] = {LinkKind::mpi, LinkKind::mpi_shm};
const auto name_of = [](const auto& test) {
  return std::string(std::get<0>(test.param).name) + (std::get<1>(test.param) == LinkKind::mpi ? "" : "_shm");
};

class MpiLinkLaws : public ::testing::TestWithParam<std::tuple<LinkLaw, LinkKind>> {};

TEST_P(MpiLinkLaws, Hold) {
  const auto& [law, kind] = GetParam();
  law.check(*make_link(kind, session->world()));
}

INSTANTIATE_TEST_SUITE_P(Mpi, MpiLinkLaws,
                         ::testing::Combine(::testing::ValuesIn(test::kLinkLaws),
                                            ::testing::ValuesIn(kHostKinds)),
                         name_of);

class MpiDeadlineLaws : public ::testing::TestWithParam<std::tuple<test::DeadlineLaw, LinkKind>> {};

TEST_P(MpiDeadlineLaws, Hold) {
  if (session->size() == 1) GTEST_SKIP() << "nobody to wait for";
  const auto& [law, kind] = GetParam();
  law.check(*make_link(kind, session->world()));
}

INSTANTIATE_TEST_SUITE_P(Mpi, MpiDeadlineLaws,
                         ::testing::Combine(::testing::ValuesIn(test::kDeadlineLaws),
                                            ::testing::ValuesIn(kHostKinds)),
                         name_of);

// 5000 bytes: a rendezvous, whose sender notices a missing receiver too; 100: buffered, it does not.
class MpiFaults : public ::testing::TestWithParam<FaultKind> {};

TEST_P(MpiFaults, LeaveARightAnswerOrAnErrorOnEveryRank) {
  const Communicator world = session->world();
  if (world.size() == 1) GTEST_SKIP() << "no message to lose";
  const bool harmless = GetParam() == FaultKind::delay || GetParam() == FaultKind::reorder;
  for (std::int64_t k = 0; k < test::messages_of_a_case(world.size()); ++k) {
    const Fault fault{GetParam(), static_cast<int>(k) % world.size(), k, 0.01};
    LinkMpi link(world);
    const double deadline_s = harmless ? test::kAmple_s : 0.1;
    test::check_ending(link, fault,
                       test::run_with_faults(link, {fault}, deadline_s, k % 2 == 0 ? 100 : 5000));
    world.sleepy_barrier();  // the next deadline starts on all ranks together
  }
}

INSTANTIATE_TEST_SUITE_P(Mpi, MpiFaults,
                         ::testing::Values(FaultKind::delay, FaultKind::drop, FaultKind::reorder,
                                           FaultKind::die));

TEST(MakeLink, KnowsItsKindsByName) {
  for (const LinkKind kind : {LinkKind::mpi, LinkKind::mpi_shm, LinkKind::nccl})
    EXPECT_EQ(parse_link_kind(to_text(kind)), kind);
  EXPECT_THROW(parse_link_kind("mpi_shm"), Error);
}

TEST(MakeLink, GivesTheReasonWhereThereIsNoNccl) {
  const Communicator world = session->world();
  try {
    const auto link = make_link(LinkKind::nccl, world);
    EXPECT_EQ(link->size(), world.size());
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::usage) << error.what();
    const std::string text = error.what();
    EXPECT_TRUE(text.find("NCCL") != std::string::npos || text.find("GPU") != std::string::npos) << text;
  }
  world.sleepy_barrier();  // nobody is left in a half-made link
}

TEST(LinkMpi, RefusesRanksOutsideTheGroupAndWrongRoom) {
  LinkMpi link(session->world());
  Bytes four(4), room(4 * static_cast<std::size_t>(link.size()) + 1);
  EXPECT_THROW(link.post(four, link.size(), four, 0), Error);
  EXPECT_THROW(link.post(four, 0, four, -1), Error);
  EXPECT_THROW(link.allgather(four, room), Error);
}

TEST(LinkMpi, AMessageShorterOrLongerThanItsBufferIsACommError) {
  for (const std::size_t sent : {std::size_t{3}, std::size_t{5}}) {
    LinkMpi link(session->world());
    Bytes out(sent), in(4);
    EXPECT_THROW(link.sendrecv(out, test::link_neighbour(link, 1), in, test::link_neighbour(link, -1)),
                 CommError);
  }
}

TEST(LinkMpi, ProgressCompletesAnExchangeThatNobodyWaitsForYet) {
  LinkMpi link(session->world());
  const Bytes out =
      test::link_message(link.rank(), 0, std::size_t{1} << 20);  // a rendezvous, so it needs progress
  Bytes in(out.size());
  const auto transfer = link.post(out, test::link_neighbour(link, 1), in, test::link_neighbour(link, -1));
  const Bytes expected = test::link_message(test::link_neighbour(link, -1), 0, out.size());
  while (in.back() != expected.back() || in != expected) link.progress();
  transfer->wait();
}

TEST(LinkMpi, TwoLinksOverOneGroupDoNotTakeEachOthersMessages) {
  const Communicator world = session->world();
  LinkMpi a(world), b(world);
  const int up = test::link_neighbour(a, 1), down = test::link_neighbour(a, -1);
  const Bytes for_a = test::link_message(a.rank(), 1, 100), for_b = test::link_message(a.rank(), 2, 100);
  Bytes in_a(100), in_b(100);
  const auto first = a.post(for_a, up, in_a, down);
  const auto second = b.post(for_b, up, in_b, down);
  second->wait();
  first->wait();
  EXPECT_TRUE(in_a == test::link_message(down, 1, 100));
  EXPECT_TRUE(in_b == test::link_message(down, 2, 100));
}

TEST(Communicator, BroadcastsStringsOfAnyLengthFromAnyRoot) {
  const Communicator world = session->world();
  // Empty; with a zero byte inside; 10 MB, so a rendezvous of many fragments.
  for (const std::string& text : {std::string(), std::string("a\0b", 3), std::string(10'000'000, 'x')}) {
    const int root = world.size() - 1;
    const std::string got = world.bcast(world.rank() == root ? text : "ignored", root);
    EXPECT_TRUE(got == text) << got.size() << " bytes";
  }
}

TEST(Communicator, GathersStringsOfUnequalLengthInRankOrder) {
  const Communicator world = session->world();
  const auto text = [](int rank) {
    return rank == 1 ? std::string() : std::string(rank == 2 ? 10'000'000 : 5, static_cast<char>('a' + rank));
  };
  for (int root = 0; root < world.size(); ++root) {
    const auto all = world.gather(text(world.rank()), root);
    ASSERT_EQ(all.size(), static_cast<std::size_t>(world.rank() == root ? world.size() : 0));
    for (std::size_t r = 0; r < all.size(); ++r)
      EXPECT_TRUE(all[r] == text(static_cast<int>(r))) << "rank " << r;
  }
}

TEST(Communicator, ReducesAndBroadcastsNumbers) {
  const Communicator world = session->world();
  const int last = world.size() - 1;
  EXPECT_EQ(world.max(-1.5 * (world.rank() + 1)), -1.5);
  EXPECT_EQ(world.bcast(0.25 * world.rank(), last), 0.25 * last);
  EXPECT_TRUE(world.all(true));
  EXPECT_EQ(world.all(world.rank() != last), false);
  const auto ranks = world.allgather(world.rank() + 7);
  for (int r = 0; r < world.size(); ++r) EXPECT_EQ(ranks[static_cast<std::size_t>(r)], r + 7);
}

TEST(Communicator, DeliversMessagesByTagAndInOrder) {
  const Communicator world = session->world();
  constexpr int kWork = 3, kAnswer = 4;
  if (world.rank() != 0) {
    EXPECT_EQ(world.recv(0, kWork).payload, "first");
    EXPECT_EQ(world.recv(0, kWork).payload, "");
    world.send(std::to_string(world.rank()), 0, kAnswer);
    return world.sleepy_barrier();
  }
  EXPECT_FALSE(
      world.try_recv(Communicator::kAnySource, kAnswer).has_value());  // nobody answers before being asked
  for (int r = 1; r < world.size(); ++r) {
    world.send("first", r, kWork);
    world.send("", r, kWork);
  }
  for (int r = 1; r < world.size(); ++r) {
    const Message answer = world.recv(Communicator::kAnySource, kAnswer);
    EXPECT_EQ(answer.payload, std::to_string(answer.source));
  }
  EXPECT_THROW(world.send("x", 0, kWork), Error);
  EXPECT_THROW(world.recv(0, -1), Error);
  world.sleepy_barrier();
}

TEST(Communicator, SplitsByColorAndKeyAndLeavesOutNegativeColors) {
  const Communicator world = session->world();
  const auto reversed = world.split(0, -world.rank());
  ASSERT_TRUE(reversed.has_value());
  EXPECT_EQ(reversed->rank(), world.size() - 1 - world.rank());
  const auto others = world.split(world.rank() == 0 ? -1 : 5, 0);
  EXPECT_EQ(others.has_value(), world.rank() != 0);
  if (others.has_value()) {
    EXPECT_EQ(others->size(), world.size() - 1);
  }
  EXPECT_EQ(world.node().size(), world.size());  // these tests run on one machine
}

double cpu_time_s() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

// Ratio of CPU time to time waited, not a time: half a core is far above what sleeping costs and far below
// what spinning does.
TEST(Communicator, RanksThatWaitSleep) {
  const Communicator world = session->world();
  if (world.size() == 1) GTEST_SKIP() << "nobody to wait for";
  constexpr double kLate = 0.4;
  const auto wait_at = [&](auto&& meet) {
    world.sleepy_barrier();
    const double before = cpu_time_s();
    if (world.rank() == 0) std::this_thread::sleep_for(std::chrono::duration<double>(kLate));
    meet();
    return cpu_time_s() - before;
  };
  EXPECT_LT(wait_at([&] { world.sleepy_barrier(); }), 0.5 * kLate);
  EXPECT_LT(wait_at([&] { world.bcast(std::string("go"), 0); }), 0.5 * kLate);
  const auto receive = [&] {
    if (world.rank() != 0) world.recv(0, 1);
    for (int r = 1; world.rank() == 0 && r < world.size(); ++r) world.send("go", r, 1);
  };
  EXPECT_LT(wait_at(receive), 0.5 * kLate);
}

TEST(BlockLinks, MakeLinksOfAnyExactWidthWhileTheOthersSleep) {
  const Communicator world = session->world();
  BlockLinks links(world);
  for (int width = 1; width <= world.size(); ++width) {  // 3 of 4 ranks has no aligned power of two
    for (int first = 0; first + width <= world.size(); ++first) {
      if (world.rank() >= first && world.rank() < first + width) {
        Link& link = links.get(first, width);
        EXPECT_EQ(link.size(), width);
        EXPECT_EQ(link.rank(), world.rank() - first);
        EXPECT_EQ(&links.get(first, width), &link) << "the second use makes nothing new";
        link.barrier();
      }
      world.sleepy_barrier();
    }
  }
}

TEST(Session, KnowsThatALauncherStartedIt) {
  EXPECT_TRUE(Session::launched());
  EXPECT_FALSE(mpi_library_version().empty());
}

TEST(CommError, CarriesTheCallAndTheWordsOfMpi) {
  int rank = 0;
  try {
    BS_MPI(MPI_Comm_rank(MPI_COMM_NULL, &rank));
    FAIL() << "MPI accepted a null communicator";
  } catch (const CommError& error) {
    EXPECT_NE(error.code(), MPI_SUCCESS);
    EXPECT_NE(std::string(error.what()).find("MPI_Comm_rank"), std::string::npos) << error.what();
  }
}

// Takes the place of gtest's printer on ranks above 0: silent but for failures.
class FailuresOnly : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << "rank " << session->rank() << ": " << (result.file_name() ? result.file_name() : "") << ":"
              << result.line_number() << ": " << result.message() << "\n";
  }
};

}  // namespace
}  // namespace bench::comm

int main(int argc, char** argv) {
  const bench::comm::Session session(argc, argv);
  bench::comm::session = &session;
  ::testing::InitGoogleTest(&argc, argv);
  if (session.rank() != 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new bench::comm::FailuresOnly);
  }
  const bool passed = RUN_ALL_TESTS() == 0;
  return session.world().all(passed) ? 0 : 1;
}
