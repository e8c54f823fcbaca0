// SPDX-License-Identifier: Apache-2.0
// The NCCL link with neither GPU nor NCCL: its calls, their order, and what it does about errors and stuck
// devices, over fakes of both libraries. One rank; start it under mpirun or alone.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "src/comm/link_kind.hpp"
#include "src/comm/link_nccl.hpp"
#include "src/comm/session.hpp"
#include "tests/support/deadline_laws.hpp"
#include "tests/support/link_laws.hpp"

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
  EXPECT_EQ(calls(), "init group( send recv ) group( ) allgather finalize destroy");
}

TEST_F(NcclDry, ADeadlineAbortsTheCommunicatorAndItIsNotTouchedAgain) {
  const auto link = make_nccl_link(session->world());
  link->set_deadline(test::kShort_s);
  {
    const Set stuck("FAKE_CUDA_STUCK");
    test::expect_given_up(*link, "rank 0", [&] { link->sendrecv(out_, 0, in_, 0); });
  }
  EXPECT_FALSE(link->memory_in_doubt());
  EXPECT_EQ(calls(), "init group( send recv ) abort");
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
  EXPECT_EQ(calls(), "init group( send recv ) abort");
}

}  // namespace
}  // namespace bench::comm

int main(int argc, char** argv) {
  const bench::comm::Session session(argc, argv);
  bench::comm::session = &session;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
