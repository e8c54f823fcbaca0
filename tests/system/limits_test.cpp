// SPDX-License-Identifier: Apache-2.0
#include "src/system/limits.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "src/system/peak_memory.hpp"
#include "src/system/proc_files.hpp"

namespace bench::system {
namespace {

// A /proc and a /sys/fs/cgroup of our own making.
class Limits : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "limits_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    files_ = {(root_ / "proc").string(), (root_ / "cgroup").string()};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::filesystem::path root_;
  KernelFiles files_;
};

TEST_F(Limits, AreAbsentWhenTheKernelTellsNothing) {
  EXPECT_FALSE(available_memory_bytes(files_).has_value());
  EXPECT_FALSE(cpu_quota_cores(files_).has_value());
}

TEST_F(Limits, WithoutControlGroupsMemAvailableCounts) {
  write("proc/meminfo", "MemTotal:  2000 kB\nMemFree: 100 kB\nMemAvailable:    1000 kB\n");
  EXPECT_EQ(available_memory_bytes(files_), 1000 * 1024);
}

TEST_F(Limits, TheTightestGroupOnTheWayUpDecides) {
  write("proc/meminfo", "MemAvailable: 1000000 kB\n");
  write("proc/self/cgroup", "0::/job/step\n");
  write("cgroup/job/step/memory.max", "max\n");
  write("cgroup/job/step/memory.current", "5000\n");
  write("cgroup/job/memory.max", "100000\n");
  write("cgroup/job/memory.current", "60000\n");
  write("cgroup/job/memory.stat", "anon 50000\ninactive_file 7000\n");
  EXPECT_EQ(available_memory_bytes(files_), 100000 - 60000 + 7000);
  write("cgroup/job/step/cpu.max", "max 100000\n");
  write("cgroup/job/cpu.max", "250000 100000\n");
  EXPECT_EQ(cpu_quota_cores(files_), 2.5);
}

TEST_F(Limits, AContainerThatSeesOnlyItsOwnRootIsLimitedByIt) {
  write("proc/self/cgroup", "0::/a/path/of/the/host\n");
  write("cgroup/memory.max", "4096\n");
  write("cgroup/memory.current",
        "8192\n");  // over the limit for a moment: nothing is left, not less than nothing
  EXPECT_EQ(available_memory_bytes(files_), 0);
}

TEST_F(Limits, VersionOneGroupsAreReadToo) {
  write("proc/self/cgroup", "9:cpu,cpuacct:/box\n4:memory:/box\n0::/\n");
  write("cgroup/memory/box/memory.limit_in_bytes", "10000\n");
  write("cgroup/memory/box/memory.usage_in_bytes", "4000\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // how v1 says unlimited
  write("cgroup/memory/memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(available_memory_bytes(files_), 6000);
  write("cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(cpu_quota_cores(files_).has_value());
  write("cgroup/cpu/box/cpu.cfs_quota_us", "150000\n");
  write("cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota_cores(files_), 1.5);
}

TEST_F(Limits, MalformedFilesAreAsGoodAsAbsent) {
  write("proc/meminfo", "MemAvailable: lots\n");
  write("proc/self/cgroup", "nonsense\n:\n0:\n::relative\n");
  write("cgroup/cpu.max", "100000 0\n");
  write("cgroup/memory.max", "99999999999999999999999\n");
  write("cgroup/memory.current", "1\n");
  EXPECT_FALSE(available_memory_bytes(files_).has_value());
  EXPECT_FALSE(cpu_quota_cores(files_).has_value());
}

TEST(ThisMachine, HasMemoryLeft) {
  EXPECT_GT(available_memory_bytes().value_or(0), 0);
}

TEST(ProcFiles, FindKeysAndNumbers) {
  EXPECT_EQ(value_of("A: 1\nB: two \n", "B:"), "two");
  EXPECT_EQ(value_of("A: 1", "A:"), "1");
  EXPECT_FALSE(value_of("AB: 1\n", "B:").has_value());
  EXPECT_EQ(leading_int(" 42 kB"), 42);
  EXPECT_EQ(leading_int("-1"), -1);
  EXPECT_FALSE(leading_int("max").has_value());
  EXPECT_FALSE(read_text("/proc/no-such-file").has_value());
}

// 64 MiB: far above what the test runner allocates on the side.
constexpr std::size_t kBlock = std::size_t{64} << 20;

void touch_a_block() {
  std::string block(kBlock, 'x');
  volatile char last = block.back();
  static_cast<void>(last);
}

TEST(PeakMemory, RemembersABlockThatIsGone) {
  const auto before = resident_memory_bytes();
  touch_a_block();
  EXPECT_GE(peak_memory_bytes(), before + static_cast<std::int64_t>(kBlock) * 9 / 10);
}

TEST(PeakMemory, ForgetsItAfterAReset) {
  touch_a_block();
  if (!reset_peak_memory()) GTEST_SKIP() << "the high-water mark cannot be reset here";
  EXPECT_LT(peak_memory_bytes(), resident_memory_bytes() + static_cast<std::int64_t>(kBlock) / 2);
}

}  // namespace
}  // namespace bench::system
