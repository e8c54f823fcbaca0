// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jobs/device_rates.hpp"

namespace bench::jobs {

/// What devices this process sees, or why none, and whether the build has code for them.
DeviceReport cuda_report(bool ask_memory);

}  // namespace bench::jobs
