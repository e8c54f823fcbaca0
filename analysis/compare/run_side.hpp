// SPDX-License-Identifier: Apache-2.0
// One of our own runs as a side of a comparison.
#pragma once

#include <map>
#include <string>

#include "analysis/compare/side.hpp"
#include "analysis/results.hpp"

namespace bench::analysis {

/// A run is one launch: launches_s is exp(mean ln of the visits' medians), seconds; the key is the case's id,
/// the name its kernel, the usual parameters in a fixed order and whatever else tells it from the run's other
/// cases of its op. Only cases that are ok have times.
Side run_side(const RunRecord& run);
Side run_side(const RunRecord& run, const Results& results);

/// What can change the speed of the same code, out of a run's provenance, as "section.key" -> text: machine,
/// compiler, libraries, settings. Left out: what is compared (version of the source), what differs between
/// any two runs (time, arguments, host name, job and process numbers, load, free memory, paths) and what was
/// unavailable. Error(io) for what is no JSON object.
std::map<std::string, std::string> environment_of(const std::string& provenance_json);

}  // namespace bench::analysis
