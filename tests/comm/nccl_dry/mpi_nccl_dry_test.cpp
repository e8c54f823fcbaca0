// SPDX-License-Identifier: Apache-2.0
// The NCCL link with neither GPU nor NCCL: its calls, their order, and what it does about errors and stuck
// devices, over fakes of both libraries. One rank; start it under mpirun or alone.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "src/comm/link_kind.hpp"
#include "src/comm/link_nccl.hpp"
#include "src/comm/session.hpp"
#include "tests/support/deadline_laws.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::fake_cuda {
std::string calls_so_far();
}

namespace bench::comm {
namespace {

using test::Bytes;

const Session* session = nullptr;

struct Set {  // an environment variable, for as long as this lives
  explicit Set(const char* variable) : name(variable) { setenv(name, "1", 1); }
  ~Set() { unsetenv(name); }
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;
  const char* name;
};

class NcclDry : public ::testing::Test {
 protected:
  void SetUp() override {
    // By its soname the link finds this one, and no other NCCL is opened.
    void* fake = dlopen(FAKE_NCCL, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(fake, nullptr) << dlerror();
    calls_ = reinterpret_cast<const char* (*)()>(dlsym(fake, "fake_nccl_calls"));
    ASSERT_NE(calls_, nullptr);
    calls_();
  }
  std::string calls() { return calls_(); }
  Bytes out_ = Bytes(8), in_ = Bytes(8);
  const std::string kSetUp = "init register deregister";  // whether memory can be registered is tried once

 private:
  const char* (*calls_)() = nullptr;
};

TEST_F(NcclDry, TheLawsOfALinkHold) {
  for (const test::LinkLaw& law : test::kLinkLaws) {
    SCOPED_TRACE(law.name);
    const auto link = make_link(LinkKind::nccl, session->world());
    law.check(*link);
    EXPECT_FALSE(link->broken());
  }
}

TEST_F(NcclDry, AnExchangeIsOneGroupAndTheEndIsInOrder) {
  {
    const auto link = make_nccl_link(session->world());
    EXPECT_FALSE(link->functional_only());
    EXPECT_EQ(link->version(), 22809);
    link->sendrecv(out_, 0, in_, 0);
    link->sendrecv({}, 0, {}, 0);
    link->barrier();
  }
  EXPECT_EQ(calls(), kSetUp + " group( send recv ) group( ) allgather finalize destroy");
}

TEST_F(NcclDry, EachCollectiveIsOneOfNcclsAndAnAlltoallIsOneGroup) {
  {
    const auto link = make_nccl_link(session->world());
    link->allreduce(DType::bf16, out_, in_);
    link->reduce_scatter(DType::f64, out_, in_);
    link->alltoall(out_, in_);
    link->transport_allgather(out_, in_);
    link->allreduce(DType::f32, {}, {});
  }
  EXPECT_EQ(calls(), kSetUp + " allreduce reduce_scatter group( send recv ) allgather allgather finalize destroy");
}

TEST_F(NcclDry, ACollectiveThatIsPostedIsNotWaitedForAndTheWatchNamesIt) {
  const auto link = make_nccl_link(session->world());
  const auto transfer = link->post_allreduce(DType::f32, out_, in_);
  EXPECT_EQ(calls(), kSetUp + " allreduce");
  transfer->hold_up(nullptr);
  link->set_deadline(0.0);
  const Set stuck("FAKE_CUDA_STUCK");
  try {
    link->watch();
    FAIL() << "the deadline has passed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the other ranks in an allreduce"), std::string::npos) << error.what();
  }
  EXPECT_EQ(calls(), "abort") << "the rest was read above";
}

TEST_F(NcclDry, ADeadlineInACollectiveAbortsToo) {
  const auto link = make_nccl_link(session->world());
  link->set_deadline(test::kShort_s);
  {
    const Set stuck("FAKE_CUDA_STUCK");
    test::expect_given_up(*link, "rank", [&] { link->allreduce(DType::f32, out_, in_); });
  }
  EXPECT_EQ(calls(), kSetUp + " allreduce abort");
}

TEST_F(NcclDry, ADeadlineAbortsTheCommunicatorAndItIsNotTouchedAgain) {
  const auto link = make_nccl_link(session->world());
  link->set_deadline(test::kShort_s);
  {
    const Set stuck("FAKE_CUDA_STUCK");
    test::expect_given_up(*link, "rank 0", [&] { link->sendrecv(out_, 0, in_, 0); });
  }
  EXPECT_FALSE(link->memory_in_doubt());
  EXPECT_EQ(calls(), kSetUp + " group( send recv ) abort");
}

TEST_F(NcclDry, AKernelThatStaysOnTheDeviceLeavesMemoryInDoubt) {
  const auto link = make_nccl_link(session->world());
  link->set_deadline(test::kShort_s);
  const Set stuck("FAKE_CUDA_STUCK"), busy("FAKE_CUDA_BUSY");
  EXPECT_THROW(link->barrier(), Error);
  EXPECT_TRUE(link->memory_in_doubt());
}

TEST_F(NcclDry, AnErrorThatProgressMeetsIsThrownByTheWait) {
  const auto link = make_nccl_link(session->world());
  const auto transfer = link->post(out_, 0, in_, 0);
  const Set error("FAKE_NCCL_ERROR");
  link->progress();
  EXPECT_NE(link->broken_because().find("of the fake library"), std::string::npos) << link->broken_because();
  EXPECT_THROW(transfer->wait(), Error);
}

TEST_F(NcclDry, AConnectionThatFailsIsAReasonAndIsAborted) {
  const Set error("FAKE_NCCL_ERROR");
  try {
    make_nccl_link(session->world());
    FAIL() << "connected by a library that only fails";
  } catch (const Error& failure) {
    EXPECT_EQ(failure.kind(), ErrorKind::unavailable) << failure.what();
  }
  EXPECT_EQ(calls(), "init abort");
}

TEST_F(NcclDry, AnExchangeThatAnExceptionUnwindsBreaksTheLink) {
  const auto link = make_nccl_link(session->world());
  link->post(out_, 0, in_, 0).reset();
  EXPECT_TRUE(link->broken());
  EXPECT_EQ(calls(), kSetUp + " group( send recv ) abort");
}

TEST_F(NcclDry, AnExchangeFollowsTheComputeStreamAndHoldsUpTheOneThatAsks) {
  const auto link = make_nccl_link(session->world());
  int anything = 0;
  void* const stream = &anything;
  link->follow(stream);
  fake_cuda::calls_so_far();
  const Set stuck("FAKE_CUDA_STUCK");  // the host waits for nothing
  link->post(out_, 0, in_, 0)->hold_up(stream);
  link->post(out_, 0, in_, 0)->hold_up(stream);
  const std::string exchange = "mark ? hold c mark c hold ?";
  EXPECT_EQ(fake_cuda::calls_so_far(), exchange + " " + exchange);
  EXPECT_FALSE(link->broken()) << "a transfer that only the device waits for may go";
}

TEST_F(NcclDry, AWatchIsQuietWhileExchangesEndAndNamesTheFirstThatDoesNot) {
  const auto link = make_nccl_link(session->world());
  for (int i = 0; i < 3; ++i) link->post(out_, 0, in_, 0)->hold_up(nullptr);
  for (int i = 0; i < 9; ++i) link->watch();
  for (int i = 0; i < 2; ++i) link->post(out_, 0, in_, 0)->hold_up(nullptr);
  link->set_deadline(test::kShort_s);
  const Set stuck("FAKE_CUDA_STUCK");
  try {
    for (;;) link->watch();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
    EXPECT_NE(std::string(error.what()).find("rank 0 still waits, in exchange 1 of those under way, for rank 0 to send"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(link->broken());
  EXPECT_THROW(link->watch(), Error) << "what is broken stays so";
}

TEST_F(NcclDry, AnErrorThatAWatchMeetsTakesTheCommunicatorDown) {
  const auto link = make_nccl_link(session->world());
  link->post(out_, 0, in_, 0)->hold_up(nullptr);
  const Set error("FAKE_NCCL_ERROR");
  EXPECT_THROW(link->watch(), Error);
  EXPECT_EQ(calls(), kSetUp + " group( send recv ) abort");
}

TEST_F(NcclDry, AnAbortThatDoesNotReturnLeavesMemoryInDoubt) {
  auto link = make_nccl_link(session->world());
  auto memory = link->message_memory(64);
  const auto transfer = link->post(out_, 0, in_, 0);
  {
    const Set error("FAKE_NCCL_ERROR"), hangs("FAKE_NCCL_HANGS");
    EXPECT_THROW(link->watch(), Error);
  }
  EXPECT_TRUE(link->memory_in_doubt());
  memory.reset();  // is not given back: the device may still write there
  EXPECT_THROW(transfer->wait(), Error);
  usleep(100'000);  // the thread that aborts goes on now, and notes it
  EXPECT_EQ(calls(), kSetUp + " register group( send recv ) abort");
}

TEST_F(NcclDry, MemoryForMessagesIsRegisteredWhereItCanBe) {
  {
    const auto link = make_nccl_link(session->world());
    const auto memory = link->message_memory(64);
    ASSERT_NE(memory->data(), nullptr);
    memory->data()[63] = std::byte{1};
  }
  EXPECT_EQ(calls(), kSetUp + " register deregister finalize destroy");
  const Set unregistered("FAKE_NCCL_UNREGISTERED");
  {
    const auto link = make_nccl_link(session->world());
    link->message_memory(64)->data()[63] = std::byte{1};
  }
  EXPECT_EQ(calls(), "init finalize destroy");
}

TEST_F(NcclDry, MemoryThatOutlivesItsCommunicatorIsNotDeregistered) {
  const auto link = make_nccl_link(session->world());
  auto memory = link->message_memory(64);
  link->post(out_, 0, in_, 0).reset();
  memory.reset();
  EXPECT_EQ(calls(), kSetUp + " register group( send recv ) abort");
}

}  // namespace
}  // namespace bench::comm

int main(int argc, char** argv) {
  const bench::comm::Session session(argc, argv);
  bench::comm::session = &session;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
