// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/start_gate.hpp"

#include <gtest/gtest.h>

#include <mutex>

#include "jobs/timing/synthetic.hpp"
#include "src/comm/link_self.hpp"
#include "src/comm/link_threads.hpp"

namespace bench::jobs {
namespace {

constexpr double kLatency_s = 2e-6;

/// Holds its rank up for a while after one of its collective calls, as an interrupt does.
class HeldUpLink final : public Link {
 public:
  HeldUpLink(Link& inner, SyntheticClock clock, int call, double held_s) : inner_(inner), clock_(std::move(clock)), left_(call), held_s_(held_s) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) override { return inner_.post(out, to, in, from); }
  void progress() override {}
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    inner_.allgather(mine, all);
    if (left_-- == 0) clock_.advance(held_s_);
  }
  void barrier() override { inner_.barrier(); }

 private:
  Link& inner_;
  SyntheticClock clock_;
  int left_;
  double held_s_;
};

/// Which of ten waits each of `ranks` ranks came late to, when `victim` is held up 3 ms on its way to wait number 4.
std::vector<std::vector<bool>> lateness(int ranks, int victim) {
  constexpr int kWaits = 10, kHeldUp = 4, kCallsToMakeAGate = 11;  // ten trial broadcasts and one exchange of the result
  std::vector<std::vector<bool>> late(static_cast<std::size_t>(ranks));
  std::mutex mutex;
  comm::run_on_threads(ranks, [&](Link& inner) {
    SyntheticClock clock;
    SyntheticLink timed(inner, clock, kLatency_s);
    HeldUpLink link(timed, clock, inner.rank() == victim ? kCallsToMakeAGate + kHeldUp : -1, 3e-3);
    StartGate gate(link, clock, ClockLine{}, Sync::window);
    std::vector<bool> mine;
    for (int i = 0; i < kWaits; ++i) mine.push_back(gate.wait());
    const std::lock_guard lock(mutex);
    late[static_cast<std::size_t>(inner.rank())] = mine;
  });
  return late;
}

TEST(StartGate, SaysWhichRankWasLateAndToWhichStart) {
  for (const int victim : {0, 1, 2}) {
    const auto late = lateness(3, victim);
    for (int rank = 0; rank < 3; ++rank)
      for (int i = 0; i < 10; ++i)
        EXPECT_EQ(late[static_cast<std::size_t>(rank)][static_cast<std::size_t>(i)], rank == victim && i == 4) << "rank " << rank << ", start " << i;
  }
}

TEST(StartGate, LetsAllRanksGoAtOneMoment) {
  std::vector<double> went(4);
  std::mutex mutex;
  comm::run_on_threads(4, [&](Link& inner) {
    SyntheticClock clock;
    SyntheticLink link(inner, clock, kLatency_s);
    clock.advance(1e-3 * inner.rank());  // they come one after the other
    StartGate gate(link, clock, ClockLine{}, Sync::window);
    gate.wait();
    const std::lock_guard lock(mutex);
    went[static_cast<std::size_t>(inner.rank())] = clock.true_s();
  });
  for (const double time : went) EXPECT_NEAR(time, went[0], 2 * 25e-9) << "within two readings of the clock";
}

TEST(StartGate, OneRankWaitsForNobody) {
  comm::LinkSelf link;
  StartGate gate(link, SyntheticClock(), ClockLine{}, Sync::window);
  EXPECT_EQ(gate.sync(), Sync::none);
  EXPECT_FALSE(gate.wait());
}

}  // namespace
}  // namespace bench::jobs
