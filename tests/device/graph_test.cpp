// SPDX-License-Identifier: Apache-2.0
// Capturing a call on a real device: what is replayed, and what cannot be captured and leaves no trace.
#include "src/device/graph.hpp"

#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

#include "src/core/error.hpp"
#include "src/device/check.hpp"
#include "tests/device/busy.hpp"
#include "tests/device/with_device.hpp"

namespace bench::device::test {
namespace {

using GraphOnDevice = WithDevice;

/// Why `call` cannot be captured; empty when it can.
std::string refusal(const Stream& stream, const std::function<void()>& call) {
  try {
    capture(stream, call);
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
    return error.what();
  }
}

/// The stream takes work, and nothing is noted that the next check would trip over.
void expect_usable(const Stream& stream) {
  const Mapped<std::uint32_t> flag(1);
  raise_flag(stream, flag);
  stream.wait();
  EXPECT_EQ(*flag.host(), 1U);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(GraphOnDevice, RunsTheCallAtEachReplayAndNotWhenItIsCaptured) {
  const Stream stream;
  const Mapped<std::uint32_t> flag(1);
  raise_flag(stream, flag);  // loads it
  stream.wait();
  *flag.host() = 0;
  const GraphExec exec = capture(stream, [&] { raise_flag(stream, flag); });
  EXPECT_EQ(exec.nodes(), 1);
  EXPECT_EQ(*flag.host(), 0U) << "it was recorded, not run";
  for (int round = 0; round < 3; ++round) {
    *flag.host() = 0;
    exec.launch(stream);
    stream.wait();
    EXPECT_EQ(*flag.host(), 1U) << "round " << round;
  }
}

TEST_F(GraphOnDevice, HoldsAsManyNodesAsTheCallHasLaunches) {
  const Stream stream;
  be_busy(stream, 1);
  stream.wait();
  const GraphExec exec = capture(stream, [&] {
    for (int i = 0; i < 5; ++i) be_busy(stream, 1);
  });
  EXPECT_EQ(exec.nodes(), 5);
}

TEST_F(GraphOnDevice, RefusesACallThatWaitsAndIsUsableAfterwards) {
  const Stream stream;
  be_busy(stream, 1);
  stream.wait();
  EXPECT_NE(refusal(stream, [&] { be_busy(stream, 1), stream.wait(); }).find("cannot be captured"), std::string::npos);
  expect_usable(stream);
}

TEST_F(GraphOnDevice, RefusesACallThatAllocatesAndIsUsableAfterwards) {
  const Stream stream;
  EXPECT_NE(refusal(stream, [] { DeviceBuffer(1 << 20); }), "");
  expect_usable(stream);
}

TEST_F(GraphOnDevice, RefusesACallThatThrowsWithItsWords) {
  const Stream stream;
  EXPECT_NE(refusal(stream, [] { throw std::runtime_error("out of luck"); }).find("out of luck"), std::string::npos);
  expect_usable(stream);
}

TEST_F(GraphOnDevice, RefusesACallThatPutsNothingOnTheStream) {
  const Stream stream;
  EXPECT_NE(refusal(stream, [] {}).find("puts nothing on the stream"), std::string::npos);
  expect_usable(stream);
}

}  // namespace
}  // namespace bench::device::test
