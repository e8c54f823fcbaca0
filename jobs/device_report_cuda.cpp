// SPDX-License-Identifier: Apache-2.0
#include "jobs/device_report_cuda.hpp"

#include <cmath>

#include "src/core/units.hpp"
#include "src/device/architectures.hpp"
#include "src/device/buffer.hpp"
#include "src/device/device.hpp"

namespace bench::jobs {
namespace {

std::string mhz(double value) {
  return std::isnan(value) ? "unavailable" : concat(value, " MHz");
}

std::string code_text(const device::Properties& p) {
  switch (device::code_for(device::built_for(), p.major, p.minor)) {
    case device::Code::compiled: return concat("yes (", device::built_for_text(), ')');
    case device::Code::by_driver: return concat("by the driver, from PTX (", device::built_for_text(), ')');
    case device::Code::none: return concat("no (", device::built_for_text(), "): configure with CMAKE_CUDA_ARCHITECTURES=", p.major, p.minor);
  }
  return {};
}

std::string memory_text(int index) {
  try {
    device::select(index);
    const device::FreeMemory memory = device::free_memory();
    return memory.total_bytes == 0 ? "unavailable" : concat(format_bytes(memory.free_bytes), " of ", format_bytes(memory.total_bytes), " free");
  } catch (const std::exception& error) {  // another process has it for itself, say
    return concat("unavailable: ", error.what());
  }
}

DeviceFacts facts_of(int index, bool ask_memory) {
  const device::Properties p = device::properties(index);
  const std::string capability = concat(p.major, '.', p.minor);
  return {p.name,
          capability,
          p.pci_bus_id,
          {{"name", p.name},
           {"address", p.pci_bus_id},
           {"compute capability", capability},
           {"code in this build", code_text(p)},
           {"memory", ask_memory ? memory_text(index) : format_bytes(p.memory_bytes)},
           {"L2", p.l2_bytes > 0 ? format_bytes(p.l2_bytes) : "unavailable"},
           {"multiprocessors", concat(p.sm_count)},
           {"peak clocks", concat("SM ", mhz(p.sm_clock_mhz), ", memory ", mhz(p.memory_clock_mhz))},
           {"ECC", p.ecc ? "on" : "off"},
           {"MIG", p.name.find("MIG") != std::string::npos ? "a slice of a device" : "no"}}};
}

}  // namespace

DeviceReport cuda_report(bool ask_memory) {
  const device::Devices devices = device::probe();
  const device::Versions versions = device::versions();
  DeviceReport report{.reason = devices.reason, .driver_cuda = versions.driver, .program_cuda = versions.runtime};
  for (int i = 0; i < devices.count; ++i) report.devices.push_back(facts_of(i, ask_memory));
  return report;
}

}  // namespace bench::jobs
