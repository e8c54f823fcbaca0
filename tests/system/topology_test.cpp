// SPDX-License-Identifier: Apache-2.0
#include "src/system/topology.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "src/core/error.hpp"

namespace bench::system {
namespace {

// `cores` cores of two processing units each, numbered as Linux does on x86: the siblings come after all
// first units.
Machine machine_of(int cores) {
  Machine machine;
  machine.cores = cores;
  for (int core = 0; core < cores; ++core) machine.allowed_cores.push_back({core, core + cores});
  return machine;
}

TEST(SplitCores, GivesEveryRankItsOwnNeighbouringCoresAndUsesAllOfThem) {
  // 8 over 2: even; 7 over 3: the first rank gets the odd core; 3 over 3: one each; 5 over 1: all.
  for (const auto& [cores, ranks] : {std::pair{8, 2}, {7, 3}, {3, 3}, {5, 1}}) {
    CpuList seen;
    for (int r = 0; r < ranks; ++r) {
      const CoreShare share = split_cores(machine_of(cores), r, ranks);
      ASSERT_FALSE(share.oversubscribed);
      EXPECT_LE(std::abs(static_cast<int>(share.pus.size()) - cores / ranks), 1);
      seen.insert(seen.end(), share.pus.begin(), share.pus.end());
    }
    CpuList expected;  // the first unit of each core, in order, so shares are disjoint and without siblings
    for (int core = 0; core < cores; ++core) expected.push_back(core);
    EXPECT_EQ(seen, expected) << cores << " cores, " << ranks << " ranks";
  }
}

TEST(SplitCores, GivesAsManyCoresAsThreadsWhenAsked) {
  EXPECT_EQ(split_cores(machine_of(8), 1, 2, 3).pus, (CpuList{4, 5, 6}));
  EXPECT_EQ(split_cores(machine_of(8), 0, 2, 4).pus, (CpuList{0, 1, 2, 3}));
}

TEST(SplitCores, SaysOversubscribedInsteadOfSharingACore) {
  for (const CoreShare& share : {split_cores(machine_of(2), 0, 3), split_cores(machine_of(8), 0, 2, 5)}) {
    EXPECT_TRUE(share.oversubscribed);
    EXPECT_TRUE(share.pus.empty());
  }
}

TEST(SplitCores, ObeysACpuQuota) {
  Machine machine = machine_of(8);
  machine.quota_cores = 1.5;  // rounds up to two ranks
  EXPECT_FALSE(split_cores(machine, 0, 2).oversubscribed);
  EXPECT_TRUE(split_cores(machine, 0, 3).oversubscribed);
}

TEST(SplitCores, RefusesNonsense) {
  EXPECT_THROW(split_cores(machine_of(2), 2, 2), Error);
  EXPECT_THROW(split_cores(machine_of(2), -1, 2), Error);
  EXPECT_THROW(split_cores(machine_of(2), 0, 0), Error);
  EXPECT_THROW(split_cores(machine_of(2), 0, 1, -1), Error);
}

TEST(Topology, DescribesThisMachineWithoutContradictions) {
  const Topology topology;
  const Machine& machine = topology.machine();
  ASSERT_GE(machine.cores, 1);
  EXPECT_EQ(machine.allowed_cores.size(), static_cast<std::size_t>(machine.cores));
  EXPECT_GE(machine.threads, machine.cores);
  EXPECT_GT(machine.memory_bytes, 0);
  std::set<int> distinct;
  for (const CpuList& core : machine.allowed_cores) {
    EXPECT_TRUE(std::is_sorted(core.begin(), core.end()));
    distinct.insert(core.begin(), core.end());
  }
  EXPECT_EQ(distinct.size(), static_cast<std::size_t>(machine.threads))
      << "a processing unit belongs to two cores";
}

TEST(Topology, BindsTheProcessAndSeesTheNodeAllTheSame) {
  const Topology topology;
  const CpuList before = topology.current_binding();
  const CpuList one{topology.machine().allowed_cores.back().front()};
  if (!topology.bind_this_process(one)) GTEST_SKIP() << "binding is not allowed here";
  EXPECT_EQ(topology.current_binding(), one);
  CpuList in_thread;
  std::thread([&] { in_thread = topology.current_binding(); }).join();
  EXPECT_EQ(in_thread, one) << "threads started later inherit the binding";
  // The node's cores, not those of the binding that this process has by now.
  EXPECT_EQ(Topology().machine().cores, topology.machine().cores);
  EXPECT_EQ(topology.current_binding(), one) << "looking must not change the binding";
  EXPECT_TRUE(topology.bind_this_process(before));
  EXPECT_FALSE(topology.bind_this_process({}));
}

}  // namespace
}  // namespace bench::system
