// SPDX-License-Identifier: Apache-2.0
// The recurrence of complex numbers: its oracle by hand and by differences, the kernels that have it, those that decline it, and the device's bodies.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/scan/recurrence_host_launch.hpp"

namespace bench::scan {
namespace {

using test::HostMachine;
using test::HostRecurrence;

const Op& op() { return HostRecurrence::op(); }

Params complex_shape(const char* axis, std::int64_t batch, std::int64_t seq, std::int64_t channels, const char* dtype, const std::string& pass) {
  Params params = test::shape(axis, batch, seq, channels, dtype, pass.c_str());
  params["complex"] = true;
  return params;
}

TEST(ComplexRecurrence, OfQuarterTurnsIsWorkedByHand) {
  const auto p = op().parse(params_with(op(), complex_shape("middle", 1, 3, 1, "fp64", "fwd")));
  Tensors in = support::make_inputs(op(), *p, 1);
  fill(in, "a", [](std::int64_t i) { return i % 2 == 0 ? 0.0 : 1.0; });  // i
  fill(in, "b", [](std::int64_t i) { return i == 2 ? 1.0 : 0.0; });      // 1 at the second step
  fill(in, "h0", [](std::int64_t i) { return i == 0 ? 2.0 : 0.0; });
  const Tensors out = op().reference(*p, in, row_range(0, 3));
  const std::vector<double> want{0, 2, -2 + 1, 0, 0, -1};  // 2i, -2 + 1, -i
  ASSERT_EQ(out["h"].shape(), (Shape{1, 3, 1, 2}));
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_DOUBLE_EQ(out["h"].at(i), want[static_cast<std::size_t>(i)]) << i;
  EXPECT_DOUBLE_EQ(out["h_last"].at(1), -1.0);
}

// The loss is linear in every part of every input: its central differences are exact but for rounding.
TEST(ComplexRecurrence, HasGradientsThatAreDifferencesByBothParts) {
  for (const std::int64_t segments : {1, 3}) {
    const auto forward = op().parse(params_with(op(), test::packed(complex_shape("last", 2, 7, 3, "fp64", "fwd"), segments)));
    const auto backward = op().parse(params_with(op(), test::packed(complex_shape("last", 2, 7, 3, "fp64", "bwd"), segments)));
    const auto rows = row_range(0, 7);
    Tensors in = support::make_inputs(op(), *forward, 3), back = support::make_inputs(op(), *backward, 3);
    const Tensors saved = op().reference(*forward, in, rows);
    fill(back, "h", [&](std::int64_t i) { return saved["h"].at(i); });
    const Tensors gradients = op().reference(*backward, back, rows);
    const auto loss = [&] {
      const Tensors now = op().reference(*forward, in, rows);
      return dot(back["dh"], now["h"]) + dot(back["dh_last"], now["h_last"]);
    };
    for (const auto& [input, gradient] : {std::pair{"a", "da"}, {"b", "db"}, {"h0", "dh0"}}) expect_gradient(in, input, gradients[gradient], loss, 0.125, 1e-12);
  }
}

TEST(ComplexRecurrence, CostsWhatItsTensorsWeigh) {
  for (const char* pass : {"fwd", "bwd"}) {
    const auto p = op().parse(params_with(op(), complex_shape("middle", 2, 5, 3, "fp32", pass)));
    EXPECT_EQ(op().cost(*p).bytes, static_cast<double>(tensor_bytes(op(), *p))) << pass;
  }
}

TEST(ComplexRecurrence, IsTakenByTheBaselinesAndDeclinedInWordsByWhoHasNone) {
  int declined = 0;
  for (const std::string pass : {"fwd", "bwd"})
    for (const Kernel* kernel : kernels_of("recurrence", false, pass))
      for (const char* axis : {"middle", "last"})
        for (const std::string& dtype : all_dtypes()) {
          const Params params = complex_shape(axis, 2, 37, 5, dtype.c_str(), pass);
          const std::string reason = supports_case(*kernel, *op().parse(params_with(op(), params)));
          if (kernel->name.find("sequential") != std::string::npos) {
            EXPECT_EQ(reason, "") << kernel->name;
          }
          declined += reason.find("complex") != std::string::npos ? 1 : 0;
          expect_like_oracle(*kernel, params);
          expect_like_oracle(*kernel, test::packed(params, 4));
        }
  EXPECT_GE(declined, 1);
}

template <class Tile>
void expect_bodies(const Params& params) {
  SCOPED_TRACE(text_of(params));
  HostRecurrence c(params);
  c.launch<RecurrenceStream<HostMachine, Tile>>();
  c.expect_the_oracles_answer();
  HostRecurrence back(params);
  back.add_records<Tile>();
  back.launch_together<RecurrenceLookback<HostMachine, Tile>>(3, 1);
  back.expect_the_oracles_answer();
}

TEST(ComplexRecurrence, IsWhatTheDevicesBodiesCompute) {
  for (const std::int64_t seq : {1, 2, 511, 1027}) {  // pieces of 2, tiles of 512 steps
    expect_bodies<test::Rows<ComplexNumber, Sweep::forward>>(complex_shape("last", 1, seq, 3, "fp32", "fwd"));
    expect_bodies<test::Rows<ComplexNumber, Sweep::backward>>(complex_shape("last", 1, seq, 3, "fp32", "bwd"));
  }
  for (const std::int64_t seq : {1, 33, 100}) {
    expect_bodies<test::Lines<ComplexNumber, Sweep::forward>>(complex_shape("middle", 2, seq, 33, "fp32", "fwd"));
    expect_bodies<test::Lines<ComplexNumber, Sweep::backward>>(test::packed(complex_shape("middle", 1, seq, 5, "fp32", "bwd"), seq > 1 ? 3 : 1));
  }
}

TEST(ComplexRecurrence, IsCutIntoSpansToo) {
  using Tile = test::Lines<ComplexNumber, Sweep::backward>;
  HostRecurrence c(complex_shape("middle", 1, 100, 3, "fp32", "bwd"));
  c.cut<Tile>(1);
  c.launch<RecurrenceReduce<HostMachine, test::Lines<ComplexNumber, Sweep::backward_carries>>>();
  c.launch<RecurrenceCarries<HostMachine, ComplexNumber>>();
  c.launch<RecurrenceStream<HostMachine, Tile>>();
  c.expect_the_oracles_answer();
}

}  // namespace
}  // namespace bench::scan
