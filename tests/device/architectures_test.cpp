// SPDX-License-Identifier: Apache-2.0
#include "src/device/architectures.hpp"

#include <gtest/gtest.h>

namespace bench::device {
namespace {

constexpr const char* kUsual = "80,90a";  // what CMake takes here when nobody says anything

TEST(Architectures, RunMachineCodeWithinAGeneration) {
  EXPECT_EQ(code_for(kUsual, 8, 0), Code::compiled);
  EXPECT_EQ(code_for(kUsual, 8, 6), Code::compiled) << "a later chip of the same generation";
  EXPECT_EQ(code_for("86", 8, 0), Code::none) << "an earlier one is not";
}

TEST(Architectures, OfASingleChipAreForThatOne) {
  EXPECT_EQ(code_for(kUsual, 9, 0), Code::compiled);
  EXPECT_EQ(code_for("90a", 10, 0), Code::none) << "neither its machine code nor its PTX goes further";
  EXPECT_EQ(code_for("90a", 8, 0), Code::none);
}

TEST(Architectures, LeaveLaterGenerationsToTheDriver) {
  EXPECT_EQ(code_for(kUsual, 10, 0), Code::by_driver) << "by the PTX of 80";
  EXPECT_EQ(code_for(kUsual, 12, 1), Code::by_driver);
  EXPECT_EQ(code_for(kUsual, 7, 5), Code::none) << "an older chip than any in the list";
}

TEST(Architectures, KeepApartWhatIsRealAndWhatIsVirtual) {
  EXPECT_EQ(code_for("80-real", 9, 0), Code::none) << "no PTX";
  EXPECT_EQ(code_for("80-real", 8, 9), Code::compiled);
  EXPECT_EQ(code_for("80-virtual", 8, 0), Code::by_driver) << "no machine code";
}

TEST(Architectures, OfAFamilyReachItsLaterChips) {
  EXPECT_EQ(code_for("100f", 10, 3), Code::compiled);
  EXPECT_EQ(code_for("100f", 12, 0), Code::none);
  EXPECT_EQ(code_for("103f", 10, 0), Code::none);
}

TEST(Architectures, OfThisBuildAreKnown) {
  EXPECT_NE(std::string(built_for()), "");
  EXPECT_EQ(built_for_text().rfind("sm_", 0), 0U) << built_for_text();
}

}  // namespace
}  // namespace bench::device
