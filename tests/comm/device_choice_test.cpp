// SPDX-License-Identifier: Apache-2.0
#include "src/comm/device_choice.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace bench::comm {
namespace {

TEST(ChooseDevice, TakesTheOnlyOneOrTakesTurns) {
  for (int rank = 0; rank < 9; ++rank) EXPECT_EQ(choose_device(rank, 1), 0) << "the launcher chose it";
  EXPECT_EQ(choose_device(0, 4), 0);
  EXPECT_EQ(choose_device(3, 4), 3);
  EXPECT_EQ(choose_device(5, 4), 1) << "more ranks than devices share";
}

TEST(ChooseDevice, SaysThatThereIsNone) {
  try {
    choose_device(0, 0);
    FAIL() << "chose a device of none";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
}

TEST(GpusApart, AreThePairsOfHostAndUuid) {
  const std::vector<GpuPlace> apart{{"a", "GPU-1"}, {"a", "GPU-2"}, {"b", "GPU-1"}};
  EXPECT_FALSE(check_gpus_apart(apart, false));
  EXPECT_FALSE(check_gpus_apart(apart, true));
  EXPECT_FALSE(check_gpus_apart({}, false));
}

TEST(GpusApart, AreRequiredUnlessSharingIsAllowed) {
  const std::vector<GpuPlace> shared{{"a", "GPU-1"}, {"b", "GPU-7"}, {"c", "GPU-9"}, {"b", "GPU-7"}};
  EXPECT_TRUE(check_gpus_apart(shared, true)) << "functional only";
  try {
    check_gpus_apart(shared, false);
    FAIL() << "two ranks on one GPU were let through";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("ranks 1 and 3"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("GPU-7 of b"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bench::comm
