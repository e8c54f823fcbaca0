// SPDX-License-Identifier: Apache-2.0
// The identity of a case: a hash over what is computed and how it is laid out, and over nothing else. Host,
// versions, clocks, repeats and seed do not belong in the parameters given here; they form the identity of
// the environment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/core/params.hpp"

namespace bench::scaling {

/// JSON of one object as RFC 8785 would write it: keys in bytewise order, no blanks, integers, booleans and
/// ASCII strings only. A key or string with a byte above 127, or an integer beyond 2^53 - 1 in magnitude
/// (which other JSON readers round), is a usage error naming the parameter.
std::string canonical_json(const Params& params);

/// 64 lower-case hex digits of SHA-256 (FIPS 180-4) of any bytes.
std::string sha256_hex(std::string_view bytes);

/// The first 32 hex digits of the SHA-256 of the canonical JSON.
std::string case_id(const Params& params);

/// The 12 digits shown to people: 48 bits, so two of 10^4 cases share them with probability 1.8e-7.
std::string short_id(const std::string& case_id);

/// Usage error naming both when two of the ids agree in the digits shown to people.
void require_distinct_short_ids(std::vector<std::string> ids);

}  // namespace bench::scaling
