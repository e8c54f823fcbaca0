// SPDX-License-Identifier: Apache-2.0
// Whole visits of the kernels that send from device to device, under mpirun: on a device each where there are enough, else on one that ranks share, whose rows
// are checked and not timed. Without a device all is skipped, with the reason. CTest ends what hangs after 60 s.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "jobs/harness.hpp"
#include "scaling/parameters.hpp"
#include "scaling/sweep.hpp"
#include "src/comm/link_mpi.hpp"
#include "src/comm/link_nccl.hpp"
#include "src/comm/session.hpp"
#include "src/device/device.hpp"
#include "tests/support/run_case.hpp"

namespace bench::jobs {
namespace {

const comm::Session* session = nullptr;

class RingOnDevice : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!session->world().all(device::probe().count > 0)) return;
    link_ = comm::make_link(comm::LinkKind::nccl, session->world(), {.allow_shared_gpu = true});
  }
  static void TearDownTestSuite() { link_.reset(); }
  void SetUp() override {
    if (!link_) GTEST_SKIP() << device::probe().reason;
  }

  /// The shared visit; small sizes.
  static analysis::VisitRecord visit(const std::string& kernel, const Params& changes) {
    scaling::Case c;
    c.op = support::find_kernel(kernel).op;
    c.kernel = kernel;
    c.params = default_params(support::find_op(c.op));
    for (const auto& [name, value] : changes) c.params[name] = value;
    c.ranks = session->world().size();
    c.params["ranks"] = c.ranks;
    c.id = kernel;
    comm::LinkMpi host(session->world());
    host.set_deadline(kPatience_s);
    link_->set_deadline(kPatience_s);
    Harness harness({.warmup = 1, .min_samples = 8, .max_samples = 8, .budget = 5.0, .allow_shared_gpu = true}, {.clock = steady_clock(), .local_rank = session->world().node().rank()});
    return harness.visit(c, host, false, dynamic_cast<DeviceLink*>(link_.get()));
  }

  static constexpr double kPatience_s = 40.0;
  static std::unique_ptr<Link> link_;
};
std::unique_ptr<Link> RingOnDevice::link_;

TEST_F(RingOnDevice, EveryLayoutEqualsTheReference) {
  for (const char* kernel : {"attention/ring_nccl_cuda", "attention/allgather_nccl_cuda", "attention/double_ring_nccl_cuda", "attention/ulysses_nccl_cuda"})
    for (const char* layout : {"contiguous", "zigzag", "striped"}) {
      const auto record = visit(kernel, {{"seq", std::int64_t{777}}, {"dtype", std::string("bf16")}, {"layout", std::string(layout)}});  // ragged
      EXPECT_EQ(record.outcome, Outcome::ok) << kernel << ' ' << layout << ": " << record.reason;
      const bool shared = dynamic_cast<DeviceLink&>(*link_).functional_only();
      EXPECT_EQ(record.functional_only, shared);
      if (session->world().rank() == 0) {
        EXPECT_EQ(record.rank_time_s.empty(), shared);
      }
    }
}

TEST_F(RingOnDevice, GradientsEqualTheReference) {
  const auto check = [](const char* kernel, const char* layout, std::int64_t kv_heads) {
    const auto record = visit(kernel, {{"seq", std::int64_t{777}},
                                       {"heads", std::int64_t{8}},
                                       {"kv_heads", kv_heads},
                                       {"dtype", std::string("bf16")},
                                       {"pass", std::string("bwd")},
                                       {"layout", std::string(layout)}});
    EXPECT_EQ(record.outcome, Outcome::ok) << kernel << ' ' << layout << ", " << kv_heads << " key heads: " << record.reason;
  };
  for (const char* kernel : {"attention/ring_bwd_nccl_cuda", "attention/allgather_bwd_nccl_cuda", "attention/double_ring_bwd_nccl_cuda", "attention/ulysses_bwd_nccl_cuda"}) {
    check(kernel, "contiguous", 2);  // Ulysses: 4 ranks add up their parts of a key head's gradient
    check(kernel, "zigzag", 8);      // and none does
    check(kernel, "striped", 1);
  }
}

/// Every scan, each way that carries travel.
template <class Visit>
void for_each_scan(const std::string& pass, std::int64_t seq, Visit&& visit) {
  for (const char* way : {"allgather", "chain", "ranks"})
    for (const std::int64_t segments : {1, 3}) {
      const Params base{{"batch", std::int64_t{2}}, {"seq", seq}, {"segments", std::min(segments, seq)}, {"dtype", std::string("bf16")}, {"pass", pass}};
      const auto with = [&](const std::string& op, std::initializer_list<Params::value_type> more) {
        Params params = base;
        params.insert(more.begin(), more.end());
        visit(concat("scan/", op, '_', way, pass == "bwd" ? "_bwd" : "", "_nccl_cuda"), params);
      };
      with("recurrence", {{"channels", std::int64_t{70}}});
      with("recurrence", {{"channels", std::int64_t{3}}, {"time_axis", std::string("last")}});
      with("selective", {{"channels", std::int64_t{150}}, {"state", std::int64_t{16}}});
      with("ssd", {{"heads", std::int64_t{3}}, {"head_dim", std::int64_t{64}}, {"state", std::int64_t{64}}});
    }
}

TEST_F(RingOnDevice, ScansEqualTheReference) {
  const auto expect_ok = [](const std::string& kernel, const Params& changes) {
    const auto record = visit(kernel, changes);
    EXPECT_EQ(record.outcome, Outcome::ok) << kernel << ": " << record.reason;
  };
  for (const std::int64_t seq : {3, 1000, 10007}) for_each_scan("fwd", seq, expect_ok);  // fewer steps than ranks; a few chunks a rank; spans and chunks whole and broken
  for (const std::int64_t seq : {3, 2500}) for_each_scan("bwd", seq, expect_ok);         // two spans and more of two ranks; longer, the reference takes its time
}

}  // namespace
}  // namespace bench::jobs

int main(int argc, char** argv) {
  const bench::comm::Session session(argc, argv);
  bench::jobs::session = &session;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
