// SPDX-License-Identifier: Apache-2.0
// Every selective scan of the cuda backend on a device, against the fp64 oracle, and how far its bits repeat.
#include "kernels/scan/selective.hpp"

#include <algorithm>
#include <cstring>

#include "src/device/buffer.hpp"
#include "tests/device/kernels_on_device.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

using SelectiveOnDevice = device::test::WithDevice;

std::vector<const Kernel*> kernels(const std::string& pass) {
  auto found = test::kernels_on_device("selective");
  std::erase_if(found, [&](const Kernel* kernel) { return std::ranges::count(kernel->passes, pass) == 0; });
  return found;
}

Params sizes(const std::string& pass, std::int64_t batch, std::int64_t seq, std::int64_t channels, std::int64_t state, std::int64_t groups = 1, std::int64_t segments = 1) {
  return {{"pass", pass}, {"batch", batch}, {"seq", seq}, {"channels", channels}, {"state", state}, {"groups", groups}, {"segments", segments}};
}

int check_all(const Params& params) {
  const Op& op = support::find_op("selective");
  int taken = 0;
  for (const Kernel* kernel : kernels(std::get<std::string>(params.at("pass"))))
    for (const DType dtype : kernel->dtypes) {
      Params typed = params_with(op, params);
      typed["dtype"] = std::string(to_text(dtype));
      taken += test::check(*kernel, *op.parse(typed), text_of(params));
    }
  return taken;
}

TEST_F(SelectiveOnDevice, EveryKernelEqualsTheOracleAtEveryEdge) {
  int taken = 0;
  for (const char* pass : {"fwd", "bwd"}) {
    for (const std::int64_t seq : {1, 15, 16, 17, 31, 33, 64, 65, 1000})  // tiles of 8, 16 and 32 steps, chunks of 64 and more
      for (const std::int64_t channels : {1, 31, 40, 129}) taken += check_all(sizes(pass, 2, seq, channels, 16));
    for (const std::int64_t state : {1, 4, 8, 9, 16, 17, 32, 64, 100, 128, 129, 256}) taken += check_all(sizes(pass, 1, 70, 33, state));
    taken += check_all(sizes(pass, 2, 70, 120, 16, 3)) + check_all(sizes(pass, 1, 70, 45, 14, 3));
    taken += check_all(sizes(pass, 16, 40, 4096, 16)) + check_all(sizes(pass, 16, 40, 4096, 8));  // enough for the dense shapes of lanes
  }
  EXPECT_GE(taken, 2 * 2 * 3 * 52) << "two kernels a pass, three types";
}

TEST_F(SelectiveOnDevice, EveryFormHasAKernelThatEqualsTheOracle) {
  for (const char* pass : {"fwd", "bwd"})
    for (const std::int64_t state : {1, 4, 8, 9, 64, 65, 128})  // complex: 2 to 256 floats, three shapes of lanes
      for (const std::int64_t segments : {1, 5})
        for (const Params& form : in_selective_forms(sizes(pass, 2, 70, 66, state, 2, segments))) EXPECT_EQ(check_all(form), 3) << text_of(form) << "three types";
}

TEST_F(SelectiveOnDevice, EveryKernelBeginsPackedSequencesAtZero) {
  for (const char* pass : {"fwd", "bwd"})
    for (const std::int64_t segments : {2, 9, 300}) check_all(sizes(pass, 2, 1000, 70, 16, 2, segments));
}

TEST_F(SelectiveOnDevice, EveryKernelKeepsWhatUnderflowsAndOverflowsApart) {
  const auto steep = [](Tensors& in) {
    fill(in, "delta", [](std::int64_t i) { return i % 3 == 0 ? -100.0 : i % 3 == 1 ? 100.0 : 0.0; });  // d of 4e-44, of 100, and between
    fill(in, "delta_bias", [](std::int64_t) { return 0.0; });
    fill(in, "z", [](std::int64_t i) { return i % 2 == 0 ? -120.0 : 120.0; });
  };
  const auto forgetful = [](Tensors& in) { fill(in, "A", [](std::int64_t) { return -1e5; }); };  // every decay underflows
  for (const char* pass : {"fwd", "bwd"})
    for (const Kernel* kernel : kernels(pass))
      for (const Spoil& spoil : {Spoil(steep), Spoil(forgetful)}) expect_like_oracle(*kernel, sizes(pass, 1, 500, 70, 16), spoil);
}

TEST_F(SelectiveOnDevice, AHundredRunsHaveTheSameBitsButForSumsThatHaveNoOrder) {
  const Op& op = support::find_op("selective");
  for (const char* pass : {"fwd", "bwd"})
    for (const Kernel* kernel : kernels(pass)) {
      const auto p = op.parse(params_with(op, sizes(pass, 2, 3000, 300, 16)));
      test::expect_the_same_bits(*kernel, *p, kernel->name == "scan/selective_bwd_cuda" ? std::vector<std::string>{"dB", "dC"} : std::vector<std::string>{});
    }
}

/// An input whose steps repeat those of `period`.
void repeat(const Tensor& period, Tensor& to) {
  const std::int64_t batch = period.shape()[0], each = period.bytes() / batch, all = to.bytes() / batch;
  for (std::int64_t i = 0; i < batch; ++i)
    for (std::int64_t at = 0; at < all; at += each) std::memcpy(to.data() + i * all + at, period.data() + i * each, static_cast<std::size_t>(each));
}

// Inputs of period S whose states remember far less than S steps: the last period's outputs are those of two periods alone, which the oracle checks.
TEST_F(SelectiveOnDevice, MoreThanTwoToThe31ElementsAreNoneTooMany) {
  constexpr std::int64_t kPeriod = 4096, kPeriods = 258, kChannels = 1024, kBatch = 2;  // 2^31 + 2^24 elements of u
  constexpr std::int64_t kBytes = 5 * kBatch * kPeriod * kPeriods * kChannels * 2;
  if (device::free_memory().free_bytes < kBytes) GTEST_SKIP() << "needs " << kBytes << " bytes on the device, and six times as much on the host";
  const Op& op = support::find_op("selective");
  const auto problem_of = [&](std::int64_t seq) {
    Params params = params_with(op, sizes("fwd", kBatch, seq, kChannels, 16));
    params["dtype"] = std::string("bf16");
    return op.parse(params);
  };
  const auto one = problem_of(kPeriod), two = problem_of(2 * kPeriod), many = problem_of(kPeriods * kPeriod);
  Tensors period = support::make_inputs(op, *one, 1), short_in, long_in;
  fill(period, "delta_bias", [](std::int64_t) { return 0.0; });  // decays of e^-0.3 and less
  for (const TensorSpec& spec : op.inputs(*one))
    for (Tensors* in : {&short_in, &long_in}) {
      Tensor& to = in->add(spec.name, Tensor(spec.dtype, op.inputs(in == &short_in ? *two : *many)[static_cast<std::size_t>(in->all().size())].shape));
      spec.sequence_axis < 0 ? static_cast<void>(std::memcpy(to.data(), period[spec.name].data(), static_cast<std::size_t>(to.bytes()))) : repeat(period[spec.name], to);
    }
  for (const Kernel* kernel : kernels("fwd")) {
    SCOPED_TRACE(kernel->name);
    const Tensors want = test::run_alone(*kernel, *two, short_in);
    for (const auto& e : support::compare(*kernel, op, *two, short_in, want)) ASSERT_LE(e.error, e.tolerance) << e.text();
    const Tensors got = test::run_alone(*kernel, *many, long_in);
    const double allowed = 2.0 * op.tolerance(*two, "out");
    double scale = 0.0, worst = 0.0;
    for (std::int64_t entry = 0; entry < kBatch; ++entry)
      for (std::int64_t i = 0; i < kPeriod * kChannels; ++i) {
        const double expected = want["out"].at((2 * entry + 1) * kPeriod * kChannels + i);
        scale = std::max(scale, std::abs(expected));
        worst = std::max(worst, std::abs(got["out"].at((kPeriods * (entry + 1) - 1) * kPeriod * kChannels + i) - expected));
      }
    EXPECT_LE(worst, allowed * scale);
  }
}

}  // namespace
}  // namespace bench::scan
