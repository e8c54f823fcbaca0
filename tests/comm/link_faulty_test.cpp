// SPDX-License-Identifier: Apache-2.0
// Faults by order, over ranks as threads: every kind at every message of a case.
#include "src/comm/link_faulty.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "src/comm/link_threads.hpp"
#include "src/core/error.hpp"
#include "tests/support/fault_laws.hpp"

namespace bench::comm {
namespace {

using test::Bytes;
using test::Ending;

class FaultyLinkLaws : public ::testing::TestWithParam<std::tuple<test::LinkLaw, int>> {};

TEST_P(FaultyLinkLaws, HoldWithoutAFault) {
  const auto& [law, size] = GetParam();
  run_on_threads(size, [&law = law](Link& inner) {
    FaultyLink link(inner, {});
    law.check(link);
  });
}

// 2: both neighbours are the same rank; 3: no power of two; 4: several rounds.
INSTANTIATE_TEST_SUITE_P(Threads, FaultyLinkLaws,
                         ::testing::Combine(::testing::ValuesIn(test::kLinkLaws), ::testing::Values(2, 3, 4)),
                         [](const auto& law) {
                           return std::string(std::get<0>(law.param).name) + "_on_" +
                                  std::to_string(std::get<1>(law.param));
                         });

class FaultyDeadlineLaws : public ::testing::TestWithParam<test::DeadlineLaw> {};

TEST_P(FaultyDeadlineLaws, HoldWithoutAFault) {
  run_on_threads(3, [](Link& inner) {
    FaultyLink link(inner, {});
    GetParam().check(link);
  });
}

INSTANTIATE_TEST_SUITE_P(Threads, FaultyDeadlineLaws, ::testing::ValuesIn(test::kDeadlineLaws),
                         [](const auto& law) { return std::string(law.param.name); });

class Faults : public ::testing::TestWithParam<std::tuple<FaultKind, int>> {};

TEST_P(Faults, LeaveARightAnswerOrAnErrorOnEveryRank) {
  const auto [kind, ranks] = GetParam();
  for (std::int64_t k = 0; k < test::messages_of_a_case(ranks); ++k) {
    const Fault fault{kind, static_cast<int>(k) % ranks, k, 0.01};
    std::atomic<int> failed{0};
    run_on_threads(ranks, [&](Link& link) {
      const Ending ending = test::run_with_faults(link, {fault}, kind == FaultKind::delay ? 60.0 : 0.1, 5000);
      test::check_ending(link, fault, ending);
      if (ending != Ending::right) ++failed;
    });
    const bool may_fail = kind == FaultKind::drop || kind == FaultKind::die;
    EXPECT_EQ(failed.load() > 0, may_fail) << to_text(fault);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, Faults,
                         ::testing::Combine(::testing::Values(FaultKind::delay, FaultKind::drop,
                                                              FaultKind::die),
                                            ::testing::Values(2, 3, 4)));

// A held message is in nobody's way, so it needs an ample deadline: 100 ms can pass on a busy machine.
TEST(Reorder, LeavesARightAnswerAtEveryMessage) {
  for (const int ranks : {2, 3, 4}) {
    for (std::int64_t k = 0; k < test::messages_of_a_case(ranks); ++k) {
      const Fault fault{FaultKind::reorder, static_cast<int>(k) % ranks, k};
      run_on_threads(ranks, [&](Link& link) {
        test::check_ending(link, fault, test::run_with_faults(link, {fault}, test::kAmple_s, 5000));
      });
    }
  }
}

TEST(Reorder, SwapsTwoMessagesToDifferentRanksAndKeepsTheOrderToOne) {
  run_on_threads(3, [](Link& inner) {
    FaultyLink link(inner, {{FaultKind::reorder, 0, 0}, {FaultKind::reorder, 0, 2}});
    link.set_deadline(test::kAmple_s);
    const Bytes first{std::byte{1}}, second{std::byte{2}};
    Bytes in(1);
    if (link.rank() == 0) {
      const auto held = link.post(first, 1, {}, 1);  // leaves after the one to rank 2
      const auto passed = link.post(second, 2, {}, 2);
      const auto held_too = link.post(first, 1, {}, 1);
      const auto behind = link.post(second, 1, {}, 1);
      for (const auto* transfer : {&held, &passed, &held_too, &behind}) (*transfer)->wait();
    }
    if (link.rank() == 1) {
      for (const Bytes& due : {first, first, second}) {
        link.sendrecv({}, 0, in, 0);
        EXPECT_TRUE(in == due) << "two messages between the same ranks changed places";
      }
    }
    if (link.rank() == 2) {
      link.sendrecv({}, 0, in, 0);
      EXPECT_TRUE(in == second);
    }
  });
}

/// Notes in which order the messages of a rank really leave.
class Recording final : public Link {
 public:
  int rank() const override { return 0; }
  int size() const override { return 3; }
  std::unique_ptr<Transfer> post(std::span<const std::byte>, int to, std::span<std::byte>, int) override {
    struct Done final : Transfer {
      void wait() override {}
    };
    if (to != rank()) left += std::to_string(to);
    return std::make_unique<Done>();
  }
  void progress() override {}
  void allgather(std::span<const std::byte>, std::span<std::byte>) override {}
  void barrier() override {}
  std::string left;
};

TEST(Reorder, HoldsAMessageUntilTheNextOneOrUntilSomethingIsWaitedFor) {
  Recording inner;
  FaultyLink link(inner,
                  {{FaultKind::reorder, 0, 0}, {FaultKind::reorder, 0, 2}, {FaultKind::reorder, 0, 5}});
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (const int to : {1, 2, 1, 1, 2, 1}) transfers.push_back(link.post({}, to, {}, to));
  EXPECT_EQ(inner.left, "21112");
  transfers.front()->wait();
  EXPECT_EQ(inner.left, "211121");
  for (const auto& transfer : transfers) transfer->wait();
}

TEST(FaultyLink, SleepsByTheClockItWasGivenAndOnlyForItsOwnRank) {
  std::atomic<int> naps{0};
  run_on_threads(2, [&](Link& inner) {
    FaultActions actions;
    actions.sleep = [&](double seconds) {
      EXPECT_EQ(seconds, 1000.0);
      ++naps;
    };
    FaultyLink link(inner, {{FaultKind::delay, 1, 0, 1000.0}, {FaultKind::delay, 7, 0, 1000.0}}, actions);
    link.set_deadline(test::kAmple_s);
    link.barrier();
  });
  EXPECT_EQ(naps.load(), 1);
}

TEST(FaultyLink, ADeathThatDoesNotHappenIsStillTheEndOfItsRank) {
  FaultActions actions;
  actions.die = [](const Fault&) {};
  EXPECT_THROW(run_on_threads(2,
                              [&](Link& inner) {
                                FaultyLink link(inner, {{FaultKind::die, 0, 0}}, actions);
                                link.barrier();
                              }),
               Error);
}

TEST(FaultText, IsReadAsItIsWritten) {
  const auto faults = parse_faults("drop@1:7,delay@0:3:0.25,reorder@2:0,die@11:123456789012");
  ASSERT_EQ(faults.size(), 4U);
  EXPECT_EQ(faults[1].kind, FaultKind::delay);
  EXPECT_EQ(faults[1].seconds, 0.25);
  EXPECT_EQ(faults[3].rank, 11);
  EXPECT_EQ(faults[3].operation, 123456789012);
  std::string text;
  for (const Fault& fault : faults) text += (text.empty() ? "" : ",") + to_text(fault);
  EXPECT_EQ(text, "drop@1:7,delay@0:3:0.25,reorder@2:0,die@11:123456789012");
  EXPECT_TRUE(parse_faults("").empty());
}

TEST(FaultText, RefusesWhatItDoesNotKnowAndSaysWhatItTakes) {
  for (const char* text : {"dropp@1:7", "drop", "drop@1", "drop@-1:7", "drop@x:7", "drop@1:7:2", "delay@1:7",
                           "delay@1:7:-2", "delay@1:7:inf", "delay@1:7:nan", "drop@1:7,,drop@1:8"}) {
    try {
      parse_faults(text);
      ADD_FAILURE() << text << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("delay@RANK:OPERATION:SECONDS"), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace bench::comm
