// SPDX-License-Identifier: Apache-2.0
// A visit of a case whose ranks talk between devices, over a link that is none (tests/support/host_device_link.hpp): what the harness makes of its bytes,
// of its failures, and of ranks that share a device.
#include <gtest/gtest.h>

#include "jobs/harness.hpp"
#include "jobs/timing/synthetic.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/jobs/synthetic_rig.hpp"
#include "tests/support/host_device_link.hpp"

namespace bench::jobs {
namespace {

constexpr int kRanks = 3;
constexpr std::size_t kMessage_bytes = 64;

/// What rank 1 does in the call with this number, counted from 0 a rank: throws before it has posted.
constexpr int kNever = -1;
int bad_call = kNever;
thread_local int call_of_rank = 0;

void run_between_devices(const Problem& problem, Tensors& tensors, Context& context) {
  if (context.device_link->rank() == 1 && call_of_rank == bad_call) throw Error(ErrorKind::internal, "no launch for rank 1");
  ++call_of_rank;
  std::vector<std::byte> out(kMessage_bytes), in(kMessage_bytes);
  DeviceLink& link = *context.device_link;
  const auto transfer = link.post(out, (link.rank() + 1) % kRanks, in, (link.rank() + kRanks - 1) % kRanks);
  Registry<Kernel>::instance().find("toy/right")->run(problem, tensors, context);
  transfer->hold_up(context.stream);
}

Kernel between_devices() {
  Kernel kernel = *Registry<Kernel>::instance().find("toy/right");
  kernel.name = "toy/between_devices";
  kernel.run = run_between_devices;
  return kernel;
}

/// Every rank's record.
std::vector<analysis::VisitRecord> visit(int bad) {
  static const Registrar<Kernel> registrar{between_devices()};
  bad_call = bad;
  std::vector<analysis::VisitRecord> records(kRanks);
  const auto between = comm::make_thread_links(kRanks);
  comm::run_on_threads(kRanks, [&](Link& link) {
    const auto rank = static_cast<std::size_t>(link.rank());
    call_of_rank = 0;
    if (bad != kNever) between[rank]->set_deadline(1.0);  // for peers of a rank that left
    SyntheticClock clock;
    support::HostDeviceLink device_link(*between[rank], support::Lands::late);
    records[rank] = Harness(synthetic_settings(), {clock, 0, {}}).visit(toy::make_case("toy/between_devices", kRanks), link, false, &device_link);
  });
  return records;
}

TEST(DeviceLink, CountsWhatACallSendsBetweenDevices) {
  const auto records = visit(kNever);
  EXPECT_EQ(records[0].outcome, Outcome::ok) << records[0].reason;
  EXPECT_EQ(records[0].wire_bytes, static_cast<std::int64_t>(kMessage_bytes)) << "and nothing of the votes";
  EXPECT_FALSE(records[0].rank_time_s.empty());
  EXPECT_FALSE(records[0].functional_only);
}

TEST(DeviceLink, ThatARankLeftInTheMiddleIsACommErrorOnAllWithItsWords) {
  for (const int bad : {0, 1, 4}) {  // the checked call, a warm-up, a sample
    for (const auto& record : visit(bad)) {
      EXPECT_EQ(record.outcome, Outcome::comm_error) << bad;
      EXPECT_TRUE(record.rank_time_s.empty());
      EXPECT_FALSE(record.ended_process) << "nothing is in doubt";
    }
  }
}

}  // namespace
}  // namespace bench::jobs
