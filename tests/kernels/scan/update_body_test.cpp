// SPDX-License-Identifier: Apache-2.0
// The device's state update, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/scan/update_body.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/inputs.hpp"
#include "tests/kernels/scan/scan_cases.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::scan {
namespace {

Params sizes(std::int64_t batch, std::int64_t heads, std::int64_t head_dim, std::int64_t state, std::int64_t groups, const std::string& dtype) {
  return {{"batch", batch}, {"heads", heads}, {"head_dim", head_dim}, {"state", state}, {"groups", groups}, {"dtype", dtype}};
}

template <class T, bool kTied, int kLanes, int kPieces>
void expect_like_the_oracle(Params params, const Spoil& spoil = nullptr) {
  params["tied"] = kTied;
  SCOPED_TRACE(text_of(params));
  const Op& op = support::find_op("ssm_update");
  const auto problem = op.parse(params_with(op, params));
  const auto& p = problem_as<UpdateProblem>(*problem);
  Tensors in = support::make_inputs(op, p, 1), out;
  if (spoil) spoil(in);
  for (const TensorSpec& spec : op.outputs(p)) poison(out.add(spec.name, Tensor(spec.dtype, spec.shape)));
  const Tensors want = op.reference(p, support::widen(in), row_range(0, p.batch));
  UpdateJob job = update_job(p);
  job.x = in["x"].data(), job.dt = in["dt"].data(), job.b = in["B"].data(), job.c = in["C"].data(), job.z = in["z"].data();
  job.a = in["A"].as<float>(), job.skip = in["D"].as<float>(), job.bias = in["dt_bias"].as<float>(), job.h0 = in["h0"].as<float>();
  job.slots = p.state_batch_indices.empty() ? nullptr : p.state_batch_indices.data();
  job.out = out["out"].data(), job.h_last = out["h_last"].as<float>();
  using Body = StateUpdate<support::HostMachine, T, kTied, kLanes, kPieces>;
  support::run_blocks(static_cast<int>(Body::blocks(job)), Body::kThreads, 0, 1, [&] { Body(job).run(); });
  for (const auto& e : support::compare_to(support::find_kernel("scan/update_scalar_cpu"), op, p, want, out)) EXPECT_LE(e.error, e.tolerance) << e.text();
}

TEST(UpdateBody, TakesRowsOfEveryWidth) {
  for (const std::int64_t state : {1, 4, 13, 16}) expect_like_the_oracle<Bf16, false, 4, 1>(sizes(2, 1, 257, state, 1, "bf16"));  // 256 rows a block
  for (const std::int64_t state : {17, 62, 64}) expect_like_the_oracle<Bf16, true, 16, 1>(sizes(2, 3, 65, state, 3, "bf16"));     // 64
  for (const std::int64_t state : {66, 128}) expect_like_the_oracle<F16, true, 32, 1>(sizes(1, 4, 64, state, 2, "fp16"));         // 32
  for (const std::int64_t state : {132, 255, 256}) expect_like_the_oracle<float, true, 32, 2>(sizes(1, 2, 17, state, 1, "fp32"));  // 16
}

TEST(UpdateBody, TakesRowsAroundTheEdgeOfABlock) {
  for (const std::int64_t rows : {1, 31, 32, 33, 63}) expect_like_the_oracle<Bf16, true, 32, 1>(sizes(1, 2, rows, 128, 2, "bf16"));
  for (const std::int64_t rows : {1, 63, 65}) expect_like_the_oracle<float, false, 16, 1>(sizes(1, 2, rows, 64, 1, "fp32"));
}

TEST(UpdateBody, TakesEachStateFromItsSlotAndNoneForPadding) {
  Params cached = sizes(5, 2, 33, 128, 1, "bf16");
  cached["slots"] = std::int64_t{9}, cached["padding"] = std::int64_t{2};
  expect_like_the_oracle<Bf16, true, 32, 1>(cached);
  cached["state"] = std::int64_t{14};
  expect_like_the_oracle<Bf16, false, 4, 1>(cached);
}

TEST(UpdateBody, KeepsWhatUnderflowsAndOverflowsApart) {
  const auto steep = [](Tensors& in) {
    fill(in, "dt", [](std::int64_t i) { return i % 2 == 0 ? -100.0 : 100.0; });
    fill(in, "dt_bias", [](std::int64_t) { return 0.0; });
    fill(in, "z", [](std::int64_t i) { return i % 2 == 0 ? -120.0 : 120.0; });
  };
  expect_like_the_oracle<float, false, 4, 1>(sizes(2, 1, 40, 16, 1, "fp32"), steep);
  expect_like_the_oracle<float, true, 32, 1>(sizes(2, 4, 40, 128, 1, "fp32"), steep);
}

}  // namespace
}  // namespace bench::scan
