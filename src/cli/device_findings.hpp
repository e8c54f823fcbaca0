// SPDX-License-Identifier: Apache-2.0
// What `doctor` finds of devices, and what of it a run keeps: what they are, and what the first one can do.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "jobs/device_rates.hpp"

namespace bench::cli {

/// {driver, built with, reason, devices}: each device by what CUDA and, if it is there, NVML say of it. An empty list has its reason beside it.
nlohmann::ordered_json devices_found();
void print_devices(const nlohmann::ordered_json& found);

/// Names, capabilities and versions, those of libraries too, under `gpu`: what a device's time depends on. Nothing where this rank sees no device.
void add_devices(nlohmann::ordered_json& provenance);

/// NVML's number of the device that the process computes on that is number `local_rank` on its node. CUDA's own number is another where CUDA_VISIBLE_DEVICES
/// renumbers. 0 where CUDA shows none; -1, which reads nothing, where NVML does not know it.
int nvml_number_of_rank(int local_rank);

/// Of the first device; nothing where there is none.
std::vector<jobs::DeviceRate> device_rates();
nlohmann::ordered_json as_json(const std::vector<jobs::DeviceRate>& measured);
void print(const std::vector<jobs::DeviceRate>& measured);

}  // namespace bench::cli
