// SPDX-License-Identifier: Apache-2.0
// What a device can do, measured with the timer that its kernels are timed with: the limits that its cases are held against, and what `doctor
// --roofline` prints. The measuring needs CUDA and registers itself (device_rates_cuda.cpp); what is here does not.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "analysis/record.hpp"
#include "jobs/clock.hpp"
#include "jobs/timing/timer.hpp"
#include "src/core/link.hpp"
#include "src/core/registry.hpp"

namespace bench::jobs {

enum class RateKind : std::uint8_t { copy, triad, read, bf16, fp16, fp32, exp };

struct DeviceRate {
  RateKind kind = RateKind::copy;
  std::int64_t bytes = 0;  // working set of copy, triad and read: all arrays together
  double per_s = 0.0;      // bytes, FLOP or exponentials a second; 0: not measured, `note` says why
  std::string note;        // what did it, where that is not our own kernel
};
/// "copy, 256 MiB", "bf16 matrix product", "ex2.approx".
std::string name_of(const DeviceRate& rate);
const char* unit_of(RateKind kind);

/// Working sets as the limits have them: analysis::kTriadBytes, the last at least four times L2, so that it is memory's.
std::vector<std::int64_t> working_sets(std::int64_t l2_bytes);

/// `amount` over the median time of a call that has been made before; 11 samples of one call. Samples that the timer calls spoilt do not count;
/// 0 when none does.
double median_rate(Timer& timer, double amount, const std::function<void()>& call);

/// Rates by what they limit: those of memory to the working set that they were measured at, larger ones than analysis::kTriadBytes has to the last.
analysis::Limits limits_of(std::span<const DeviceRate> rates);

/// A device as people know it, for doctor.
struct DeviceFacts {
  std::string name, compute_capability, pci_bus_id;
  std::vector<std::pair<std::string, std::string>> facts;  // in order
};
struct DeviceReport {
  std::string reason;  // why there is none; empty else
  std::string driver_cuda, program_cuda;  // the newest CUDA that the driver knows (empty: none), and the one this program was built with
  std::vector<DeviceFacts> devices;
};

/// Of one kind of device.
struct DeviceMeter {
  std::string name;  // to_text(Backend)
  /// `ask_memory`: also how much of each device's memory is free, which takes a context on it.
  DeviceReport (*report)(bool ask_memory) = nullptr;
  /// Of the device of the process that is number `local_rank` on its node. Some seconds. Error(unavailable) without one.
  std::vector<DeviceRate> (*rates)(const Clock& clock, int local_rank) = nullptr;
};

/// Sum over the ranks of `link`, which all measure their devices together; the link's own rates as of threads are not in it. Rates are 0 where a rank has no
/// device: its cases say why.
analysis::Limits measure_device_limits_of(Link& link, const Clock& clock, int local_rank);

}  // namespace bench::jobs

template <>
bench::Registry<bench::jobs::DeviceMeter>& bench::Registry<bench::jobs::DeviceMeter>::instance();
