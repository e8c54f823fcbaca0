// SPDX-License-Identifier: Apache-2.0
// What holds on every machine: with a GPU, with a driver and no GPU, with neither.
#include "src/device/device.hpp"

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <type_traits>

#include "src/core/error.hpp"
#include "src/device/buffer.hpp"
#include "src/device/check.hpp"
#include "src/device/event.hpp"
#include "src/device/stream.hpp"

namespace bench::device {
namespace {

// Of driver_types.h; part of CUDA's binary interface.
constexpr int kSuccess = 0, kInvalidValue = 1, kMemoryAllocation = 2, kNoDevice = 100;

template <class Owner>
constexpr bool kMoveOnly =
    std::is_nothrow_move_constructible_v<Owner>&& std::is_nothrow_move_assignable_v<Owner> &&
    !std::is_copy_constructible_v<Owner> && !std::is_copy_assignable_v<Owner>;
static_assert(kMoveOnly<Stream> && kMoveOnly<Event> && kMoveOnly<DeviceBuffer> && kMoveOnly<MappedBytes> &&
              kMoveOnly<Mapped<int>>);

TEST(Probe, SaysHowManyDevicesThereAreOrWhyThereIsNone) {
  const Devices devices = probe();
  EXPECT_EQ(devices.count == 0, !devices.reason.empty())
      << devices.count << " devices, reason '" << devices.reason << "'";
  EXPECT_EQ(probe().count, devices.count)
      << "an answer of no leaves nothing behind that the next question trips over";
}

TEST(Check, LetsSuccessPass) {
  EXPECT_NO_THROW(check(kSuccess, "call()", "file.cpp", 1));
  EXPECT_TRUE(forgive(kSuccess));
}

TEST(Check, NamesTheCallThePlaceAndCudasWords) {
  try {
    check(kInvalidValue, "cudaFrobnicate(x)", "some/file.cpp", 42);
    FAIL() << "an error passed";
  } catch (const Error& error) {
    const std::string text = error.what();
    for (const char* part :
         {"cudaErrorInvalidValue", "invalid argument", "cudaFrobnicate(x)", "some/file.cpp", "42"})
      EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is missing in: " << text;
    EXPECT_EQ(error.kind(), ErrorKind::internal);
  }
}

TEST(Check, OfAnExpressionNamesThatExpression) {
  const auto fails = [] { return kNoDevice; };
  try {
    BS_CUDA(fails());
    FAIL() << "an error passed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("fails()"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("device_test.cpp"), std::string::npos) << error.what();
  }
}

TEST(Check, TellsMemoryThatRanOutApart) {
  EXPECT_THROW(check(kMemoryAllocation, "cudaMalloc", "f", 1), std::bad_alloc);
}

TEST(Check, ForgivesInDestructors) {
  EXPECT_FALSE(forgive(kInvalidValue));
  EXPECT_NO_THROW(BS_CUDA_NOEXCEPT(kInvalidValue));
}

TEST(Buffer, OfNothingAsksNoDevice) {
  DeviceBuffer none(0);
  DeviceBuffer other = std::move(none);
  EXPECT_EQ(other.data(), nullptr);
  EXPECT_EQ(other.bytes(), 0);
  const Mapped<std::uint32_t> empty;
  EXPECT_EQ(empty.host(), nullptr);
  EXPECT_EQ(empty.device(), nullptr);
}

TEST(Buffer, OfNegativeSizeIsRefused) {
  EXPECT_THROW(DeviceBuffer(-1), Error);
}

TEST(Owners, WithoutADeviceAreErrorsInWords) {
  const Devices devices = probe();
  if (devices.count > 0) GTEST_SKIP() << "there is a device";
  const auto expect_words = [](auto&& make) {
    try {
      make();
      FAIL() << "made without a device";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("cudaError"), std::string::npos) << error.what();
    }
  };
  expect_words([] { Stream(); });
  expect_words([] { Event(); });
  expect_words([] { DeviceBuffer(1); });
  expect_words([] { MappedBytes(1); });
  expect_words([] { static_cast<void>(properties(0)); });
}

}  // namespace
}  // namespace bench::device
