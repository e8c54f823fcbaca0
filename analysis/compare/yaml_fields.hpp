// SPDX-License-Identifier: Apache-2.0
// Numbers, yes or no, and times out of a policy, each checked where it stands.
#pragma once

#include <string>

#include "scaling/yaml_cursor.hpp"

namespace bench::analysis {

/// What a number may be, both ends included.
struct Range {
  double lo = 0.0, hi = 0.0;
};

/// A finite number in `range`; anything else, NaN and infinity too, is a usage error at its place.
double read_number(const scaling::YamlCursor& at, const Range& range);

/// A whole number in `range`.
int read_count(const scaling::YamlCursor& at, const Range& range);

/// true or false.
bool read_flag(const scaling::YamlCursor& at);

/// Seconds from "5us", "0.1 ms", "2s" or a bare number of seconds; 0 or more.
double read_time_s(const scaling::YamlCursor& at);

/// Seconds in one "s", "ms", "us" or "ns"; any other unit is a usage error.
double read_unit_s(const scaling::YamlCursor& at);

/// A pattern over the names of cases (scaling/glob.hpp), known to be well formed.
std::string read_pattern(const scaling::YamlCursor& at);

}  // namespace bench::analysis
