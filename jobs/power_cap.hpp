// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "analysis/record.hpp"

namespace bench::jobs {

/// Marks all samples of a device's visit kPowerCap when the device says, at the end of the measurement, that its power limit or the board's power
/// brake holds it back: the reasons are read there only, so no sample can be told from another.
void mark_power_cap(analysis::VisitRecord& visit);

}  // namespace bench::jobs
