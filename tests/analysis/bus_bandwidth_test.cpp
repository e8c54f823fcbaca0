// SPDX-License-Identifier: Apache-2.0
// The sizes and factors of nccl-tests (doc/PERFORMANCE.md and each test's GetBw there), worked out by hand.
#include "analysis/bus_bandwidth.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/columns.hpp"
#include "analysis/results.hpp"
#include "analysis/table.hpp"
#include "kernels/collective/operation.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

scaling::Case exchange(const std::string& operation, std::int64_t bytes, std::int64_t ranks, const std::string& dtype = "fp32") {
  scaling::Case c = synthetic_case("collective", operation, ranks);
  c.params["operation"] = operation;
  c.params["message_bytes"] = bytes;
  c.params["dtype"] = dtype;
  c.cost = {.bytes = 1e6};
  c.baseline.clear();
  return c;
}

TEST(BusBandwidth, IsTheSizeOverTheTimeTimesTheFactorOfTheOperation) {
  // 64 MB on 8 ranks in 1 ms: 64 GB/s, of which a ring's link carries 2 x 7/8, 7/8 or all.
  const struct {
    const char* operation;
    double factor;
  } table[] = {{"allreduce", 1.75}, {"allgather", 0.875}, {"reduce_scatter", 0.875}, {"alltoall", 0.875}, {"sendrecv", 1.0}};
  for (const auto& [operation, factor] : table) {
    const auto rates = bus_bandwidth(exchange(operation, 64'000'000, 8), 1e-3);
    ASSERT_TRUE(rates) << operation;
    EXPECT_DOUBLE_EQ(rates->algbw, 64e9) << operation;
    EXPECT_DOUBLE_EQ(rates->busbw, factor * 64e9) << operation;
  }
  EXPECT_DOUBLE_EQ(bus_bandwidth(exchange("allreduce", 1'000'000, 2), 1e-3)->busbw, 1e9) << "2 (P-1)/P is 1 on two ranks";
}

TEST(BusBandwidth, CountsWhatIsMovedOnceTheSizeIsRoundedDown) {
  // 1000 bytes of fp32 on 3 ranks: 250 numbers, or 3 pieces of 83.
  EXPECT_DOUBLE_EQ(bus_bandwidth(exchange("allreduce", 1003, 3), 1.0)->algbw, 1000.0);
  EXPECT_DOUBLE_EQ(bus_bandwidth(exchange("sendrecv", 1003, 3), 1.0)->algbw, 1000.0);
  for (const char* operation : {"allgather", "reduce_scatter", "alltoall"})
    EXPECT_DOUBLE_EQ(bus_bandwidth(exchange(operation, 1003, 3), 1.0)->algbw, 996.0) << operation;
  EXPECT_DOUBLE_EQ(bus_bandwidth(exchange("alltoall", 1003, 3, "bf16"), 1.0)->algbw, 1002.0);
}

TEST(BusBandwidth, IsNotThereForOtherOpsNorOnOneRank) {
  EXPECT_FALSE(bus_bandwidth(exchange("allreduce", 1000, 1), 1.0));
  EXPECT_FALSE(bus_bandwidth(synthetic_case("attention", "any", 2), 1.0));
  EXPECT_FALSE(bus_bandwidth(exchange("gossip", 1000, 2), 1.0)) << "of another version of the program";
}

TEST(BusBandwidth, IsAColumnAndIsShownForExchangesOnly) {
  RunRecord run = synthetic_run();
  run.cases.push_back(exchange("allreduce", 1'005'000, 2));
  run.visits.push_back(synthetic_visit(run.cases.back(), 1.0, 0.5));  // the other rank takes half as long: the slowest counts
  const Results results = make_results(run);
  for (const Column& column : case_columns(run, results)) {
    if (column.name != "busbw" && column.name != "algbw") continue;
    const auto& values = std::get<std::vector<double>>(column.values);
    EXPECT_DOUBLE_EQ(values.back(), 1e9) << column.name << ": 1005000 bytes in 1.005 ms";
    EXPECT_TRUE(std::isnan(values.front())) << column.name << " of attention";
    EXPECT_EQ(column.unit, "byte s-1");
  }
  int with = 0;
  for (const Section& section : case_sections(run, results)) {
    const std::string text = section.table.text();
    const bool shown = text.find("busbw") != std::string::npos;
    EXPECT_EQ(shown, section.title.starts_with("collective")) << section.title;
    if (!shown) continue;
    ++with;
    EXPECT_NE(text.find("1 GB/s"), std::string::npos) << text;
    EXPECT_EQ(text.find("FLOP"), std::string::npos) << "nothing is computed: " << text;
  }
  EXPECT_EQ(with, 1);
}

TEST(LinkColumn, NamesTheDefaultLinkBesideAnotherOne) {
  RunRecord run = synthetic_run();
  run.cases = {exchange("allreduce", 1000, 2), exchange("allreduce", 1000, 2)};
  run.cases[1].id += "-shm";
  run.cases[1].params["link"] = std::string("mpi-shm");
  run.visits = {synthetic_visit(run.cases[0], 1.0), synthetic_visit(run.cases[1], 1.0)};
  const std::string text = case_sections(run, make_results(run)).front().table.text();
  EXPECT_NE(text.find(" mpi "), std::string::npos) << text;
  EXPECT_NE(text.find(" mpi-shm "), std::string::npos) << text;
}

}  // namespace
}  // namespace bench::analysis
