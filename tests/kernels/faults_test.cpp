// SPDX-License-Identifier: Apache-2.0
// Every registered collective kernel with a fault at a message: what is late or held back leaves the answer
// as it is; what is lost, or a rank that dies, ends in an Error on the ranks that needed it, before the
// deadline. Never a hang, never a wrong answer.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/comm/link_faulty.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/run_case.hpp"

namespace bench {
namespace {

using comm::Fault;
using comm::FaultKind;

constexpr double kAmple_s = 100.0;  // for the harmless faults: nobody waits for it
constexpr double kShort_s = 0.1;
constexpr int kRanks = 3;  // no power of two; a neighbour up, another one down

struct Death : std::runtime_error {
  Death() : std::runtime_error("died by order") {}
};

std::vector<const Kernel*> collective_kernels() {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all()) {
    if (kernel->collective && kernel->backend != Backend::nccl) kernels.push_back(kernel);
  }
  return kernels;
}

class FaultyRanks : public ::testing::TestWithParam<const Kernel*> {
 protected:
  // Small enough that the messages are the test; heads for an exchange of heads between three ranks.
  void SetUp() override {
    Params changes{{"ranks", std::int64_t{kRanks}}, {"pass", kernel().passes.front()}};
    for (const ParamSpec& spec : op().params) {
      if (spec.name == "seq") changes["seq"] = std::int64_t{50};
      if (spec.name == "heads") changes["heads"] = std::int64_t{3};
      if (spec.name == "channels") changes["channels"] = std::int64_t{24};
      if (spec.name == "head_dim") changes["head_dim"] = std::int64_t{16};
    }
    problem_ = op().parse(scan::params_with(op(), changes));
    if (const std::string why = supports_case(kernel(), *problem_); !why.empty()) GTEST_SKIP() << why;
    inputs_ = support::make_inputs(op(), *problem_, 1);
  }

  const Kernel& kernel() const { return *GetParam(); }
  const Op& op() const { return support::find_op(kernel().op); }

  /// The whole outputs of a run with `faults`, and how many messages each rank sent.
  Tensors run(const std::vector<Fault>& faults, double deadline_s) {
    comm::FaultActions actions;
    actions.die = [](const Fault&) { throw Death(); };
    std::vector<std::unique_ptr<Link>> links;
    for (auto& link : comm::make_thread_links(kRanks)) {
      links.push_back(std::make_unique<comm::FaultyLink>(std::move(link), faults, actions));
      links.back()->set_deadline(deadline_s);
    }
    Tensors outputs = support::run_kernel(kernel(), op(), *problem_, inputs_, links);
    messages_.clear();
    for (const auto& link : links) messages_.push_back(static_cast<comm::FaultyLink&>(*link).operations());
    return outputs;
  }

  void expect_right(const std::vector<Fault>& faults) {
    const Tensors outputs = run(faults, kAmple_s);
    for (const auto& e : support::compare(kernel(), op(), *problem_, inputs_, outputs))
      EXPECT_LE(e.error, e.tolerance) << e.text();
  }

  std::unique_ptr<Problem> problem_;
  Tensors inputs_;
  std::vector<std::int64_t> messages_;
};

TEST_P(FaultyRanks, GiveTheRightAnswerWhenMessagesAreLateOrLeaveInAnotherOrder) {
  expect_right({});
  const auto messages = messages_;
  std::vector<Fault> late, held;
  for (int r = 0; r < kRanks; ++r) {
    for (std::int64_t k = 0; k < messages[static_cast<std::size_t>(r)]; ++k) {
      if ((k + r) % 2 == 0) late.push_back({FaultKind::delay, r, k, 0.002});
    }
  }
  expect_right(late);
  for (int r = 0; r < kRanks; ++r) {
    for (std::int64_t k = 0; k < messages[static_cast<std::size_t>(r)]; k += 2)
      held.push_back({FaultKind::reorder, r, k});
  }
  expect_right(held);
}

TEST_P(FaultyRanks, EndInAnErrorWhenAMessageOrARankIsLost) {
  run({}, kAmple_s);
  const auto messages = messages_;
  for (int r = 0; r < kRanks; ++r) {
    const std::int64_t sent = messages[static_cast<std::size_t>(r)];
    ASSERT_GT(sent, 0) << "rank " << r << " sends nothing";
    for (const FaultKind kind : {FaultKind::drop, FaultKind::die}) {
      const Fault fault{kind, r,
                        r == 1 ? sent - 1 : 0};  // the last message of one rank, the first of the others
      try {
        run({fault}, kShort_s);
        ADD_FAILURE() << to_text(fault) << " went unnoticed";
      } catch (const Death&) {
        EXPECT_EQ(kind, FaultKind::die);
      } catch (const Error& error) {
        EXPECT_TRUE(error.kind() == ErrorKind::timeout || error.kind() == ErrorKind::comm) << error.what();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Collective, FaultyRanks, ::testing::ValuesIn(collective_kernels()),
                         [](const auto& kernel) { return scan::short_name(*kernel.param); });

}  // namespace
}  // namespace bench
