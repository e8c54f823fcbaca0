// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "jobs/device_rates.hpp"

namespace bench::jobs {

/// What devices this process sees, or why none, and whether the build has code for them. Makes a context on each, to ask for its free memory.
DeviceReport cuda_report();

}  // namespace bench::jobs
