// SPDX-License-Identifier: Apache-2.0
// Visits that time a part of a call, in synthetic time: what comes out is known to the microsecond.
#include "jobs/part_of_call.hpp"

#include <gtest/gtest.h>

#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "tests/jobs/synthetic_rig.hpp"
#include "tests/support/host_device_link.hpp"

namespace bench::jobs {
namespace {

constexpr int kRanks = 3;
constexpr double kWork_s = 2e-3, kWire_s = 5e-3;  // a message takes longer than what it is to hide behind
constexpr double kAround_s = 2e-5;                // readings of the clock, and what ranks wait at the start for each other

/// Sends its rank to the next one while it works; the answer is right only when what arrives is the rank before. Its messages lie in its own frame.
void run_round(const Problem& problem, Tensors& tensors, Context& context) {
  Link& link = *context.link;
  const int before = (link.rank() + kRanks - 1) % kRanks;
  std::vector<std::byte> out(64, static_cast<std::byte>(link.rank())), in(64);
  const auto transfer = link.post(out, (link.rank() + 1) % kRanks, in, before);
  Registry<Kernel>::instance().find("toy/right")->run(problem, tensors, context);
  transfer->wait();
  if (in.front() != static_cast<std::byte>(before) && tensors["out"].count() > 0) tensors["out"].set(0, 1e3);
}

Kernel round() {
  Kernel kernel = *Registry<Kernel>::instance().find("toy/right");
  kernel.name = "toy/round";
  kernel.run = run_round;
  return kernel;
}

analysis::VisitRecord visit(const char* part) {
  static const Registrar<Kernel> registrar{round()};
  scaling::Case c = toy::make_case("toy/round", kRanks);
  if (part != nullptr) c.params["part"] = std::string(part);
  analysis::VisitRecord first;
  comm::run_on_threads(kRanks, [&](Link& inner) {
    SyntheticClock clock(25e-9);
    SyntheticLink link(inner, clock, kWire_s);
    toy::set_work([&clock] { clock.advance(kWork_s); });
    auto record = Harness(synthetic_settings(), {clock, 0, {}}).visit(c, link);
    toy::set_work({});
    if (link.rank() == 0) first = std::move(record);
  });
  return first;
}
double time_of(const analysis::VisitRecord& record) { return analysis::median(analysis::sorted(analysis::local_times(record))); }

TEST(PartOfCall, WholeIsTheLongerOfTheTwo) {
  const auto record = visit(nullptr);
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_NEAR(time_of(record), kWire_s, kAround_s);
}

TEST(PartOfCall, ComputeWaitsForNobody) {
  const auto record = visit("compute");
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_NEAR(time_of(record), kWork_s, kAround_s);
  EXPECT_EQ(record.wire_bytes, 64) << "of the checked call, which is whole";
}

TEST(PartOfCall, ExchangeComputesNothing) {
  toy::reset_calls();
  const auto record = visit("exchange");
  ASSERT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_NEAR(time_of(record), kWire_s, kAround_s);
  EXPECT_EQ(toy::calls(), kRanks) << "the checked call of each rank, and none after it";
}

TEST(PartOfCall, OfAWrongCallIsNotTimed) {
  scaling::Case c = toy::make_case("toy/wrong_on_last_rank", 2);
  for (const char* part : {"compute", "exchange"}) {
    c.params["part"] = std::string(part);
    const auto record = synthetic_visit({{}, {}}, c);
    EXPECT_EQ(record.outcome, Outcome::wrong_result) << part;
    EXPECT_TRUE(record.rank_time_s.empty());
  }
}

/// Device links have their own: the posts of the checked call, again or not at all.
TEST(PartOfCall, BetweenDevicesTheTapeSendsWhatTheCallSentAndAMutedLinkNothing) {
  const auto between = comm::make_thread_links(kRanks);
  comm::run_on_threads(kRanks, [&](Link& link) {
    Link& inner = *between[static_cast<std::size_t>(link.rank())];
    support::HostDeviceLink device_link(inner, support::Lands::late);
    for (const scaling::Part part : {scaling::Part::compute, scaling::Part::exchange}) {
      Context context;
      context.link = &link;
      context.device_link = &device_link;
      std::vector<std::byte> out(32, static_cast<std::byte>(link.rank())), in(32);
      const auto run = [&] {
        DeviceLink& wire = *context.device_link;
        wire.post(out, (link.rank() + 1) % kRanks, in, (link.rank() + kRanks - 1) % kRanks)->hold_up(nullptr);
      };
      PartOfCall of_call(part, context);
      run();
      EXPECT_EQ(in.front(), static_cast<std::byte>((link.rank() + kRanks - 1) % kRanks)) << "the checked call is whole";
      of_call.begin();
      const auto sent = device_link.bytes_sent();
      std::ranges::fill(in, std::byte{77});
      for (int call = 0; call < 3; ++call) of_call.call(run);
      const bool exchanges = part == scaling::Part::exchange;
      EXPECT_EQ(device_link.bytes_sent() - sent, exchanges ? 96 : 0);
      EXPECT_EQ(in.front() == std::byte{77}, !exchanges);
    }
  });
}

}  // namespace
}  // namespace bench::jobs
