// SPDX-License-Identifier: Apache-2.0
// The backward pass between devices, played on the host: launches of BwdPartsLaunch's parts on the host's machine, as device_play.hpp has the forward ones.
#pragma once

#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "kernels/attention/bwd_rows.hpp"
#include "kernels/attention/flash_bwd_mma.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "kernels/attention/sum_parts.hpp"
#include "tests/kernels/attention/device_play.hpp"

namespace bench::attention::test {

/// Blocks small enough that 53 rows are one and 140 several.
using BwdBody = FlashBwdMma<support::HostMachine, Bf16, 64, 64, 64, 2, false, float>;

struct HostBwdLaunch {
  void begin(const BwdJob& job) const { part_on_host<BwdRows<support::HostMachine, Bf16, BwdBody::kColumns, BwdBody::kRows>>(job); }
  void backward(const BwdJob& job) const { launch_on_host<BwdBody>(job); }
  void end(const BwdJob& job) const { part_on_host<BwdQueries<support::HostMachine, Bf16, BwdBody::Slots>>(job); }
  void clear(std::span<std::byte> bytes) const { std::memset(bytes.data(), 0, bytes.size()); }
  void add(const SumJob& job) const { part_on_host<AddSums<support::HostMachine>>(job); }
  void round(const SumJob& job) const { part_on_host<RoundSums<support::HostMachine, Bf16>>(job); }
};

/// Scratch that is filled with NaN, over a link that lands exchanges when a test says.
struct PlayedBwd : Prepared {
  PlayedBwd(Link& host, support::Lands lands) {
    host.set_deadline(kPatience_s);
    link = std::make_unique<support::HostDeviceLink>(host, lands);
  }
  std::unique_ptr<support::HostDeviceLink> link;  // goes last
  std::vector<std::unique_ptr<MessageMemory>> memory;

  std::byte* take(std::int64_t bytes) { return memory.emplace_back(link->message_memory(bytes))->data(); }
  template <class T>
  std::byte* copy(const std::vector<T>& values) {
    std::byte* const to = take(static_cast<std::int64_t>(values.size() * sizeof(T)));
    if (!values.empty()) std::memcpy(to, values.data(), values.size() * sizeof(T));
    return to;
  }
};

inline Kernel played_bwd(const char* of_host) {
  Kernel kernel = support::find_kernel(of_host);
  kernel.dtypes = {DType::bf16};
  return kernel;
}

}  // namespace bench::attention::test
