// SPDX-License-Identifier: Apache-2.0
// What is counted of a device's memory.
#include <utility>

#include "src/core/out_of_memory.hpp"
#include "src/device/buffer.hpp"
#include "tests/device/with_device.hpp"

namespace bench::device::test {
namespace {

using MemoryOnDevice = WithDevice;

constexpr std::int64_t kBig = 64 << 20, kSmall = 1 << 20;  // far apart, so that one cannot be taken for the other

TEST_F(MemoryOnDevice, CountsWhatIsHeldAndTheMostOfIt) {
  const std::int64_t before = allocated_bytes();
  forget_peak();
  EXPECT_EQ(peak_allocated_bytes(), before);
  {
    DeviceBuffer big(kBig);
    DeviceBuffer moved = std::move(big);
    EXPECT_EQ(allocated_bytes(), before + kBig) << "moving neither takes nor frees";
    const DeviceBuffer small(kSmall);
    EXPECT_EQ(allocated_bytes(), before + kBig + kSmall);
  }
  EXPECT_EQ(allocated_bytes(), before);
  EXPECT_EQ(peak_allocated_bytes(), before + kBig + kSmall);
  forget_peak();
  EXPECT_EQ(peak_allocated_bytes(), before);
}

TEST_F(MemoryOnDevice, OverwritingABufferFreesWhatItHeld) {
  const std::int64_t before = allocated_bytes();
  DeviceBuffer buffer(kBig);
  buffer = DeviceBuffer(kSmall);
  EXPECT_EQ(allocated_bytes(), before + kSmall);
  EXPECT_EQ(buffer.bytes(), kSmall);
}

TEST_F(MemoryOnDevice, ThatRanOutSaysHowMuchWasAskedForAndHowMuchIsFree) {
  const FreeMemory memory = free_memory();
  ASSERT_GT(memory.total_bytes, 0);
  const std::int64_t held = allocated_bytes();
  try {
    DeviceBuffer(2 * memory.total_bytes);
    FAIL() << "twice the memory there is";
  } catch (const OutOfMemory& error) {
    const std::string words = error.what();
    EXPECT_NE(words.find(std::to_string(2 * memory.total_bytes)), std::string::npos) << words;
    EXPECT_NE(words.find(" are free"), std::string::npos) << words;
  }
  EXPECT_EQ(allocated_bytes(), held);
  EXPECT_NO_THROW(DeviceBuffer{kSmall}) << "the next one does not trip over it";
}

}  // namespace
}  // namespace bench::device::test
