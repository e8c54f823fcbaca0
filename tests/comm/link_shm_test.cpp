// SPDX-License-Identifier: Apache-2.0
// LinkShm between threads, over plain memory: the same code as between processes. Over memory that processes
// share it runs in mpi_link_test.
#include "src/comm/link_shm.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "src/core/error.hpp"
#include "tests/support/fault_laws.hpp"

namespace bench::comm {
namespace {

using test::Bytes;

struct alignas(kShmLine) Line {
  std::byte bytes[kShmLine];
};

class HeapMemory final : public SharedMemory {
 public:
  HeapMemory(int ranks, std::size_t ring_bytes) {
    for (int r = 0; r < ranks; ++r) {
      lines_.emplace_back((LinkShm::segment_bytes(ranks, ring_bytes) + kShmLine - 1) / kShmLine);
      LinkShm::format(segment(r), ranks, ring_bytes);
    }
  }
  int size() const override { return static_cast<int>(lines_.size()); }
  std::span<std::byte> segment(int rank) override {
    return std::as_writable_bytes(std::span(lines_[static_cast<std::size_t>(rank)]));
  }

 private:
  std::vector<std::vector<Line>> lines_;
};

void run_on_shared_memory(int ranks, std::size_t ring_bytes, const std::function<void(Link&)>& body) {
  const auto memory = std::make_shared<HeapMemory>(ranks, ring_bytes);
  std::vector<std::jthread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r] {
      LinkShm link(memory, r, ring_bytes);
      link.set_deadline(test::kAmple_s);
      try {
        body(link);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << r << ": " << error.what();
      }
    });
  }
}

// Rings: one line, so that a head and its bytes never fit together; three, so that messages wrap anywhere.
// Messages: empty, below, at and above a line, many rings long.
TEST(ShmChannel, CarriesMessagesOfAnyLengthThroughRingsOfAnyLength) {
  for (const std::size_t ring_lines : {1U, 2U, 3U, 1000U}) {
    std::vector<Line> lines(ring_lines);
    ShmChannel channel;
    ShmEnd writer{&channel, std::as_writable_bytes(std::span(lines))}, reader = writer;
    int round = 0;
    for (const std::size_t size : {0U, 1U, 63U, 64U, 65U, 0U, 200U, 100'000U, 7U}) {
      const Bytes out = test::link_message(1, ++round, size);
      Bytes in(size);
      ShmSend send(out, 0);
      ShmReceive receive(in, 0);
      int turns = 0;
      while (!send.done() || !receive.done()) {
        if (!send.done()) send.push(writer);
        if (!receive.done()) receive.pull(reader);
        ASSERT_LT(++turns, 10'000) << "stuck at " << size << " bytes in " << ring_lines << " lines";
      }
      EXPECT_TRUE(in == out) << size << " bytes in " << ring_lines << " lines";
      EXPECT_EQ(channel.written, channel.taken) << "something was left behind";
    }
  }
}

TEST(ShmChannel, ChecksTheOrderOfItsMessages) {
  std::vector<Line> lines(8);
  ShmChannel channel;
  ShmEnd writer{&channel, std::as_writable_bytes(std::span(lines))}, reader = writer;
  writer.messages = 1;  // its first was lost
  Bytes one(1);
  ShmSend send(one, 0);
  send.push(writer);
  ShmReceive receive(one, 0);
  EXPECT_THROW(receive.pull(reader), Error);
}

class ShmLinkLaws : public ::testing::TestWithParam<std::tuple<test::LinkLaw, int, std::size_t>> {};

TEST_P(ShmLinkLaws, Hold) {
  const auto& [law, ranks, ring_bytes] = GetParam();
  run_on_shared_memory(ranks, ring_bytes, law.check);
}

// Ranks as for every link. Rings: shorter than most messages and no power of two; what MPI ranks get.
INSTANTIATE_TEST_SUITE_P(Shm, ShmLinkLaws,
                         ::testing::Combine(::testing::ValuesIn(test::kLinkLaws),
                                            ::testing::Values(1, 2, 3, 4),
                                            ::testing::Values(65 * kShmLine, 256 * 1024)),
                         [](const auto& law) {
                           return std::string(std::get<0>(law.param).name) + "_on_" +
                                  std::to_string(std::get<1>(law.param)) + "_with_" +
                                  std::to_string(std::get<2>(law.param));
                         });

class ShmDeadlineLaws : public ::testing::TestWithParam<test::DeadlineLaw> {};

TEST_P(ShmDeadlineLaws, Hold) {
  run_on_shared_memory(3, 4096, GetParam().check);
}

INSTANTIATE_TEST_SUITE_P(Shm, ShmDeadlineLaws, ::testing::ValuesIn(test::kDeadlineLaws),
                         [](const auto& law) { return std::string(law.param.name); });

class ShmFaults : public ::testing::TestWithParam<FaultKind> {};

TEST_P(ShmFaults, LeaveARightAnswerOrAnErrorOnEveryRank) {
  constexpr int ranks = 3;
  const bool harmless = GetParam() == FaultKind::delay || GetParam() == FaultKind::reorder;
  for (std::int64_t k = 0; k < test::messages_of_a_case(ranks); ++k) {
    const Fault fault{GetParam(), static_cast<int>(k) % ranks, k, 0.01};
    run_on_shared_memory(ranks, 4096, [&](Link& link) {  // shorter than the ring's blocks of 5000 bytes
      test::check_ending(link, fault,
                         test::run_with_faults(link, {fault}, harmless ? test::kAmple_s : 0.1, 5000));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Shm, ShmFaults,
                         ::testing::Values(FaultKind::delay, FaultKind::drop, FaultKind::reorder,
                                           FaultKind::die));

TEST(LinkShm, AMessageOfAnotherLengthIsACommError) {
  run_on_shared_memory(2, 4096, [](Link& link) {
    const Bytes out(link.rank() == 0 ? 5 : 4);
    Bytes in(4);
    if (link.rank() == 0) return link.sendrecv(out, 1, in, 1);
    EXPECT_THROW(link.sendrecv(out, 0, in, 0), Error);
    EXPECT_TRUE(link.broken());
  });
}

TEST(LinkShm, AVoteIsNotTakenForTheMessageOfAKernel) {
  run_on_shared_memory(2, 4096, [](Link& link) {
    const Bytes out(8);
    Bytes in(8), all(16);
    // Rank 0 left the kernel early and votes.
    EXPECT_THROW(link.rank() == 0 ? link.allgather(out, all) : link.sendrecv(out, 0, in, 0), Error);
  });
}

TEST(LinkShm, ProgressMeetsAnErrorWithoutThrowingAndTheWaitThrowsIt) {
  std::atomic<bool> posted{false};
  run_on_shared_memory(2, 4096, [&posted](Link& link) {
    const Bytes out(link.rank() == 0 ? 5 : 4);
    Bytes in(4);
    while (link.rank() == 0 && !posted) std::this_thread::yield();  // post() itself would meet it
    const auto transfer = link.post(out, 1 - link.rank(), in, 1 - link.rank());
    posted = true;
    if (link.rank() == 0) return transfer->wait();
    while (!link.broken()) link.progress();
    EXPECT_THROW(transfer->wait(), Error);
    EXPECT_FALSE(link.memory_in_doubt());
  });
}

TEST(LinkShm, RefusesRingsAndSegmentsThatDoNotFit) {
  std::vector<Line> lines(100);
  const auto segment = std::as_writable_bytes(std::span(lines));
  EXPECT_THROW(LinkShm::format(segment, 2, 100), Error) << "no whole lines";
  EXPECT_THROW(LinkShm::format(segment, 2, 64 * 64), Error) << "two rings of 64 lines in 100";
  EXPECT_THROW(LinkShm::format(segment.subspan(8), 1, 64), Error) << "not at the begin of a line";
}

}  // namespace
}  // namespace bench::comm
