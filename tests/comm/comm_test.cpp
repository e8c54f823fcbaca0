// SPDX-License-Identifier: Apache-2.0
// The parts of the comm room that need no ranks: launcher detection, the idle wait.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "src/comm/idle_wait.hpp"
#include "src/comm/session.hpp"

namespace bench::comm {
namespace {

// Puts the process's launcher variables away and back.
class Launched : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) {
      const char* value = std::getenv(name);
      saved_.emplace_back(value != nullptr, value != nullptr ? value : "");
      unsetenv(name);
    }
  }
  void TearDown() override {
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      unsetenv(kNames[i]);
      if (saved_[i].first) setenv(kNames[i], saved_[i].second.c_str(), 1);
    }
  }
  static constexpr const char* kNames[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_FD",
                                           "SLURM_PROCID"};
  std::vector<std::pair<bool, std::string>> saved_;
};

TEST_F(Launched, IsFalseInAPlainShellAndInABatchScript) {
  EXPECT_FALSE(Session::launched());
  setenv("SLURM_PROCID", "0", 1);  // what sbatch gives the script itself
  EXPECT_FALSE(Session::launched());
}

TEST_F(Launched, IsTrueUnderEachLauncher) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    setenv(name, "1", 1);
    EXPECT_TRUE(Session::launched()) << name;
    unsetenv(name);
  }
  setenv("SLURM_PROCID", "0", 1);
  setenv("PMI_FD", "5", 1);
  EXPECT_TRUE(Session::launched()) << "srun with PMI";
}

TEST(IdleWait, SleepsAfterEagerPollsButNeverLongerThanAMillisecondByItself) {
  IdleWait idle;
  const auto start = std::chrono::steady_clock::now();
  for (int poll = 0; poll < 70; ++poll) idle.pause();  // 50 eager ones, then naps of 20 us doubling to 1 ms
  // A lower bound only: the machine may make any sleep longer. 20+40+...+640 us and then 14 of 1 ms.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(15));
}

}  // namespace
}  // namespace bench::comm
