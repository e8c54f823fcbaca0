// SPDX-License-Identifier: Apache-2.0
// LibTorch's scans on a device, against the fp64 oracle, and without one. Their formulas are held to it in every push, by kernels that run the same
// forms on the host; here it is seen that a device's operations do the same.
#include "tests/device/torch_on_device.hpp"

namespace bench::scan {
namespace {

using ScanTorchOnDevice = test::TorchOnDevice;
using Integer = std::int64_t;

const std::vector<std::string> kTypes{"fp64", "fp32", "bf16", "fp16"};

// 1 step; a chunk of the wide scan - 1, whole, + 1; two levels of it and one more; more than a chunk of 256.
constexpr Integer kLengths[] = {1, 15, 16, 17, 257, 700};

TEST_F(ScanTorchOnDevice, RecurrencesEqualTheOracle) {
  int taken = 0;
  for (const std::string& dtype : kTypes)
    for (const char* pass : {"fwd", "bwd"})
      for (const char* axis : {"middle", "last"})
        for (const Integer segments : {1, 3})
          for (const Integer seq : kLengths)
            if (segments < seq)
              taken += test::check_torch("recurrence",
                                         {{"batch", Integer{2}}, {"seq", seq}, {"channels", Integer{37}}, {"dtype", dtype}, {"pass", std::string(pass)},
                                          {"time_axis", std::string(axis)}, {"segments", segments}},
                                         concat(pass, " L ", seq, ' ', axis, " segments ", segments));
  EXPECT_GE(taken, 4 * 2 * 10) << "the chunks take every type, both layouts and packed sequences";
}

TEST_F(ScanTorchOnDevice, SelectiveScansEqualTheOracle) {
  int taken = 0;
  for (const std::string& dtype : kTypes)
    for (const char* pass : {"fwd", "bwd"})
      for (const Integer segments : {1, 3})
        for (const Integer seq : kLengths)
          if (segments < seq)
            taken += test::check_torch("selective",
                                       {{"batch", Integer{2}}, {"seq", seq}, {"channels", Integer{24}}, {"state", Integer{5}}, {"groups", Integer{2}},
                                        {"dtype", dtype}, {"pass", std::string(pass)}, {"segments", segments}},
                                       concat(pass, " L ", seq, " segments ", segments));
  EXPECT_GE(taken, 4 * 10 + 2 * 10) << "every type forward, two backward";
}

TEST_F(ScanTorchOnDevice, StateSpaceDualityEqualsTheOracle) {
  int taken = 0;
  for (const std::string& dtype : kTypes)
    for (const char* pass : {"fwd", "bwd"})
      for (const Integer segments : {1, 5})
        for (const Integer seq : kLengths)
          if (segments <= seq)
            taken += test::check_torch("ssd",
                                       {{"batch", Integer{2}}, {"seq", seq}, {"heads", Integer{6}}, {"head_dim", Integer{20}}, {"state", Integer{16}},
                                        {"groups", Integer{2}}, {"gated", seq % 2 == 0}, {"segments", segments}, {"dtype", dtype}, {"pass", std::string(pass)}},
                                       concat(pass, " L ", seq, " segments ", segments));
  EXPECT_GE(taken, 4 * (6 + 5) * (3 + 2)) << "three lengths of a chunk forward, two ways backward";
}

TEST_F(ScanTorchOnDevice, UpdatesEqualTheOracle) {
  int taken = 0;
  for (const std::string& dtype : kTypes)
    for (const bool tied : {false, true})
      for (const Integer slots : {0, 40})
        for (const Integer batch : {1, 33})
          taken += test::check_torch("ssm_update",
                                     {{"batch", batch}, {"heads", Integer{tied ? 6 : 1}}, {"head_dim", Integer{20}}, {"state", Integer{16}},
                                      {"tied", tied}, {"slots", slots}, {"padding", Integer{slots > 0 && batch > 1 ? 3 : 0}}, {"dtype", dtype}},
                                     concat("B ", batch, tied ? " tied" : "", " slots ", slots));
  EXPECT_EQ(taken, 4 * 2 * 2 * 2);
}

/// Needs no device: that is what it is about.
TEST(ScanTorchWithoutDevice, IsKnownByNameAndUnavailableWithAReason) {
  if (const std::string missing = support::load_torch_plugin(); !missing.empty()) GTEST_SKIP() << missing;
  if (device::probe().count > 0) GTEST_SKIP() << "there is a device";
  EXPECT_EQ(test::expect_unavailable("recurrence"), 5);
  EXPECT_EQ(test::expect_unavailable("selective"), 2);
  EXPECT_EQ(test::expect_unavailable("ssd"), 5);
  EXPECT_EQ(test::expect_unavailable("ssm_update"), 1);
}

}  // namespace
}  // namespace bench::scan
