// SPDX-License-Identifier: Apache-2.0
// What a person asks first on a new machine: what is here, what will not run and why, and how fast can it be at all.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "jobs/timing/timer.hpp"
#include "kernels/isa.hpp"
#include "src/cli/device_findings.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/rates_cache.hpp"
#include "src/cli/torch_plugin.hpp"
#include "src/cli/verbs.hpp"
#include "src/comm/session.hpp"
#include "src/system/provenance.hpp"
#include "src/system/topology.hpp"

namespace bench::cli {
namespace {

using nlohmann::ordered_json;

std::string state_of_torch() {
  const auto missing = load_gated_kernels();
  for (const auto& kernel : missing)
    if (kernel.name.ends_with("_torch")) return concat("no: ", kernel.reason);
  return concat("yes: ", torch_state().version, " in ", torch_state().folder);
}

/// Whether cases of the cuda backend can be timed here: that needs a device, a driver for it, and code that runs on it.
std::string state_of_cuda() {
  try {
    return concat("yes: ", jobs::make_timer(Backend::cuda, jobs::steady_clock(), 0, 0)->device());
  } catch (const std::exception& error) {
    return concat("no: ", error.what());
  }
}

ordered_json findings(const Options& options, const system::Machine& machine) {
  const ordered_json found = system::provenance(options.arguments, options.keep_host);
  ordered_json all{{"program", system::version_text()},
                   {"cpu", machine.cpu_model},
                   {"cores", machine.cores},
                   {"numa nodes", machine.numa_nodes},
                   {"caches", fmt::format("L1d {} KiB, L2 {} KiB, L3 {} KiB", machine.l1d_bytes >> 10, machine.l2_bytes >> 10, machine.l3_bytes >> 10)},
                   {"memory", fmt::format("{:.1f} GiB", static_cast<double>(machine.memory_bytes) / 0x1p30)},
                   {"cpu quota", found["cpu"]["quota_cores"]},
                   {"governor", found["cpu"]["governor"]},
                   {"huge pages", found["memory"]["transparent_hugepages"]},
                   {"our kernels use", to_text(best_isa())},
                   {"bf16 dot product", !has_bf16_dot() ? "no" : has_fast_bf16_dot() ? "yes" : "yes, slower than fp32 here: not used"},
                   {"MPI", comm::mpi_library_version()},
                   {"LibTorch kernels", state_of_torch()},
                   {"CUDA device", state_of_cuda()}};
  return all;
}

KeptRates rates_of(const DoctorOptions& options, const system::Machine& machine) {
  const std::string key = rates_key(machine.cpu_model, machine.cores);
  if (const auto kept = kept_rates(key); kept && !options.refresh) return *kept;
  std::cerr << "measuring what the cores can do (some 10 s); other work on this machine makes it less\n";
  const KeptRates rates{system::utc_now(), jobs::machine_rates(std::max(1, machine.cores), jobs::steady_clock())};
  keep_rates(key, rates);
  return rates;
}

ordered_json as_json(const KeptRates& kept) {
  ordered_json rates = ordered_json::array();
  for (const jobs::MachineRate& rate : kept.rates)
    rates.push_back({{"name", rate.name}, {"unit", rate.unit}, {"one_core", rate.one_core}, {"all_cores", rate.all_cores}});
  return {{"measured_utc", kept.measured_utc}, {"rates", rates}};
}

void print(const KeptRates& kept) {
  std::cout << fmt::format("\nwhat the cores can do, measured {} (--refresh: again), in units of 1e9\n", kept.measured_utc);
  std::cout << fmt::format("  {:<32} {:>8} {:>12} {:>12}\n", "", "unit", "one core", "all cores");
  for (const jobs::MachineRate& rate : kept.rates)
    std::cout << fmt::format("  {:<32} {:>8} {:>12.4g} {:>12.4g}\n", rate.name, rate.unit, rate.one_core / 1e9, rate.all_cores / 1e9);
}

}  // namespace

int doctor_verb(const Options& options) {
  const system::Topology topology;
  ordered_json all = findings(options, topology.machine());
  if (!options.json)
    for (const auto& [name, value] : all.items()) std::cout << fmt::format("{:<18}{}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  all["CUDA devices"] = devices_found();
  if (!options.json) print_devices(all["CUDA devices"]);
  if (options.doctor.roofline) {
    const KeptRates rates = rates_of(options.doctor, topology.machine());
    all["rates"] = as_json(rates);
    const std::vector<jobs::DeviceRate> of_device = device_rates();
    all["device rates"] = as_json(of_device);
    if (!options.json) {
      print(rates);
      print(of_device);
    }
  }
  if (options.json) std::cout << all.dump(2) << '\n';
  return kAllMeasured;
}

}  // namespace bench::cli
