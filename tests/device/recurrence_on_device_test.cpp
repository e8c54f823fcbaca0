// SPDX-License-Identifier: Apache-2.0
// Every recurrence kernel of the cuda backend on a device, against the fp64 oracle, against closed forms where that takes too long, and against itself.
#include "kernels/scan/recurrence.hpp"

#include <cstring>
#include <memory>
#include <utility>

#include "src/device/buffer.hpp"
#include "tests/device/kernels_on_device.hpp"
#include "tests/kernels/scan/scan_cases.hpp"

namespace bench::scan {
namespace {

using RecurrenceOnDevice = device::test::WithDevice;

RecurrenceProblem problem(const Kernel& kernel, bool time_last, std::int64_t batch, std::int64_t seq, std::int64_t channels, DType dtype = DType::f32) {
  RecurrenceProblem p;
  p.pass = kernel.passes.front();
  p.dtype = dtype;
  p.time_last = time_last;
  p.batch = batch;
  p.seq = seq;
  p.channels = channels;
  return p;
}

TEST_F(RecurrenceOnDevice, EveryKernelEqualsTheOracleAtEveryEdge) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("recurrence"))
    for (const DType dtype : kernel->dtypes)
      for (const bool time_last : {false, true})
        // a step; a piece of 16 bytes; a warp's steps; tiles of 64, 128, 1024, 2048, 4096 and 8192 steps; spans of 512 and 8192: each with its neighbours
        for (const std::int64_t seq : {1, 3, 5, 8, 9, 63, 64, 65, 127, 129, 511, 513, 1023, 1024, 1025, 2047, 2049, 4095, 4096, 4097, 8191, 8193, 16385})
          for (const std::int64_t channels : {1, 31, 64, 66}) {  // one, a lane less than a warp, a block of pairs, and two more
            const RecurrenceProblem p = problem(*kernel, time_last, 2, seq, channels, dtype);
            taken += test::check(*kernel, p, concat(time_last ? "last" : "middle", " L ", seq, " C ", channels));
          }
  EXPECT_GE(taken, 12 * 3 * 23 * 4) << "four kernels of one layout and four of both, three types, 23 L and 4 C";
}

TEST_F(RecurrenceOnDevice, ManyRowsAndFewLongOnesEqualTheOracle) {
  for (const Kernel* kernel : test::kernels_on_device("recurrence"))
    for (const bool time_last : {false, true}) {
      test::check(*kernel, problem(*kernel, time_last, 4, 700, 1536), "many channels");
      test::check(*kernel, problem(*kernel, time_last, 1, (1 << 20) + 13, 3), "few long ones");  // hundreds of tiles that wait for each other
      test::check(*kernel, problem(*kernel, time_last, 1, 1 << 22, 1), "one");
    }
}

TEST_F(RecurrenceOnDevice, PackedSequencesEqualTheOracle) {
  for (const Kernel* kernel : test::kernels_on_device("recurrence"))
    for (const DType dtype : kernel->dtypes)
      for (const bool time_last : {false, true}) {
        RecurrenceProblem p = problem(*kernel, time_last, 2, 20001, 67, dtype);
        p.starts = {1, 2, 63, 64, 1024, 4095, 4096, 8193, 20000};
        test::check(*kernel, p, "packed");
        p.starts.clear();
        for (std::int64_t t = 1; t < p.seq; ++t) p.starts.push_back(t);
        test::check(*kernel, p, "steps alone");
      }
}

TEST_F(RecurrenceOnDevice, ComplexNumbersEqualTheOracle) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("recurrence"))
    for (const bool time_last : {false, true})
      for (const std::int64_t seq : {1, 2, 3, 65, 513, 2049, 4097, 30001}) {  // pieces of 2; tiles of 64, 512 and 2048 steps; spans of 4096; many
        RecurrenceProblem p = problem(*kernel, time_last, 2, seq, 35);
        p.complex = true;
        taken += test::check(*kernel, p, concat("complex L ", seq));
        if (seq < 100) continue;
        p.starts = {1, seq / 2, seq - 1};
        test::check(*kernel, p, concat("complex, packed, L ", seq));
      }
  EXPECT_GE(taken, 12 * 8);
}

/// Runs a kernel on inputs that were changed, against the oracle; 0 when it does not take the problem.
int check_spoiled(const Kernel& kernel, const RecurrenceProblem& p, const Spoil& spoil) {
  if (!supports_case(kernel, p).empty()) return 0;
  const Op& op = support::find_op("recurrence");
  Tensors inputs = support::make_inputs(op, p, 1);
  spoil(inputs);
  for (const auto& e : support::compare(kernel, op, p, inputs, test::run_alone(kernel, p, inputs))) EXPECT_LE(e.error, e.tolerance) << kernel.name << ' ' << e.text();
  return 1;
}

TEST_F(RecurrenceOnDevice, DecaysThatOverflowAndVanishEqualTheOracle) {
  int taken = 0;
  for (const Kernel* kernel : test::kernels_on_device("recurrence"))
    for (const bool time_last : {false, true})
      for (const double decay : {0.0, 1e-40, 1e-30, 1.0, -1.0})
        taken += check_spoiled(*kernel, problem(*kernel, time_last, 1, 10000, 3), [&](Tensors& in) { fill(in, "a", [&](std::int64_t) { return decay; }); });
  for (const Kernel* kernel : test::kernels_on_device("recurrence")) {
    if (kernel->passes.front() != "fwd") continue;
    for (const bool time_last : {false, true})  // a product of 2^900 over states of zero
      taken += check_spoiled(*kernel, problem(*kernel, time_last, 1, 10000, 1), [](Tensors& in) {
        fill(in, "a", [](std::int64_t i) { return i < 900 ? 2.0 : 0.5; });
        fill(in, "b", [](std::int64_t i) { return i < 900 ? 0.0 : 1.0; });
        fill(in, "h0", [](std::int64_t) { return 0.0; });
      });
  }
  EXPECT_GE(taken, 12 * 5 + 6);
}

TEST_F(RecurrenceOnDevice, AHundredRunsHaveTheSameBitsWhereThatIsPromised) {
  for (const Kernel* kernel : test::kernels_on_device("recurrence")) {
    if (kernel->name.find("lookback") != std::string::npos) continue;  // says that it does not
    for (const bool time_last : {false, true}) test::expect_the_same_bits(*kernel, problem(*kernel, time_last, 1, 100001, 20));
  }
}

/// A kernel with its tensors on the device, to be run as often as one likes.
class Ready {
 public:
  Ready(const Kernel& kernel, const RecurrenceProblem& p, Tensors tensors) : kernel_(kernel), p_(p), tensors_(std::move(tensors)) {
    for (const TensorSpec& spec : support::find_op("recurrence").outputs(p)) std::memset(tensors_.add(spec.name, Tensor(spec.dtype, spec.shape)).data(), 0xff, static_cast<std::size_t>(tensors_[spec.name].bytes()));
    prepared_ = kernel.prepare(p, tensors_, context_);
    context_.prepared = prepared_.get();
  }
  const Tensors& run() {
    kernel_.run(p_, tensors_, context_);
    prepared_->collect(tensors_);
    return tensors_;
  }

 private:
  const Kernel& kernel_;
  const RecurrenceProblem& p_;
  Tensors tensors_;
  Context context_;
  std::unique_ptr<Prepared> prepared_;
};

// One preparation: each launch finds the records and tickets of those before it.
TEST_F(RecurrenceOnDevice, AHundredLookBacksEqualTheOracle) {
  const Op& op = support::find_op("recurrence");
  for (const Kernel* kernel : test::kernels_on_device("recurrence")) {
    if (kernel->name.find("lookback") == std::string::npos) continue;
    for (const bool time_last : {false, true}) {
      const RecurrenceProblem p = problem(*kernel, time_last, 1, 200003, 5);
      const Tensors reference = support::reference_of(op, p, support::make_inputs(op, p, 1));
      Ready ready(*kernel, p, support::make_inputs(op, p, 1));
      for (int i = 0; i < 100; ++i)
        for (const auto& e : support::compare_to(*kernel, op, p, reference, ready.run())) ASSERT_LE(e.error, e.tolerance) << e.text() << ", run " << i;
    }
  }
}

constexpr std::int64_t kMany = (std::int64_t{1} << 31) + 8200;
constexpr std::int64_t kWide = (1 << 20) + 5;

/// Constant decays have a closed form: with a = 1/2, b = 1 and h0 = 2 every h is 2, exactly. The last three steps decay a quarter instead and say so.
void expect_the_closed_form(const Kernel& kernel, const RecurrenceProblem& p) {
  SCOPED_TRACE(concat(kernel.name, p.time_last ? " last" : " middle", " C ", p.channels));
  const std::int64_t rows = p.time_last ? p.channels : p.seq, columns = p.time_last ? p.seq : p.channels, last = p.seq - 3;
  const auto step_of = [&](std::int64_t row, std::int64_t column) { return p.time_last ? column : row; };
  Tensors inputs;
  for (const TensorSpec& spec : support::find_op("recurrence").inputs(p)) inputs.add(spec.name, Tensor(spec.dtype, spec.shape));
  for (std::int64_t r = 0, i = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c, ++i) {
      inputs["a"].as<Bf16>()[i] = to_bf16(step_of(r, c) < last ? 0.5F : 0.25F);
      inputs["b"].as<Bf16>()[i] = to_bf16(1.0F);
    }
  std::fill_n(inputs["h0"].as<float>(), p.channels, 2.0F);
  Ready ready(kernel, p, std::move(inputs));
  const Tensors& out = ready.run();
  constexpr float kEnd[] = {1.5F, 1.375F, 1.34375F};
  const Bf16* const h = out["h"].as<Bf16>();
  std::int64_t wrong = 0;
  for (std::int64_t r = 0, i = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c, ++i) {
      const std::int64_t t = step_of(r, c);
      wrong += to_float(h[i]) == (t < last ? 2.0F : kEnd[t - last]) ? 0 : 1;
    }
  EXPECT_EQ(wrong, 0);
  for (std::int64_t c = 0; c < p.channels; ++c) ASSERT_EQ(out["h_last"].as<float>()[c], 1.34375F) << c;
}

/// 2^31 + 8200 elements: of one channel, so that its steps are what passes 2^31, and of 2^20 + 5, so that their products with steps are.
void expect_many_elements(const char* name) {
  if (device::free_memory().free_bytes < 7 * kMany) GTEST_SKIP() << "needs " << (7 * kMany >> 30) << " GiB on the device";
  const Kernel& kernel = support::find_kernel(concat("scan/recurrence_", name, "_cuda"));
  for (const bool time_last : {false, true})
    for (const std::int64_t channels : {std::int64_t{1}, kWide}) {
      const RecurrenceProblem p = problem(kernel, time_last, 1, channels == 1 ? kMany : kMany / kWide + 1, channels, DType::bf16);
      if (supports_case(kernel, p).empty()) expect_the_closed_form(kernel, p);
    }
}

TEST_F(RecurrenceOnDevice, RowsReachMoreThanTwoToThe31Elements) { expect_many_elements("rows"); }
TEST_F(RecurrenceOnDevice, LinesReachMoreThanTwoToThe31Elements) { expect_many_elements("lines"); }
TEST_F(RecurrenceOnDevice, LookBackReachesMoreThanTwoToThe31Elements) { expect_many_elements("lookback"); }
TEST_F(RecurrenceOnDevice, ReduceScanReachesMoreThanTwoToThe31Elements) { expect_many_elements("reduce_scan"); }

}  // namespace
}  // namespace bench::scan
