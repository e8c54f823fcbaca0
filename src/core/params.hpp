// SPDX-License-Identifier: Apache-2.0
// Parameters of a case: what is computed, by name. The map's bytewise key order is the canonical order of the case's identity.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace bench {

using Value = std::variant<bool, std::int64_t, std::string>;
using Params = std::map<std::string, Value>;

/// true/false, the decimal number, or the string itself.
std::string to_text(const Value& value);

/// Each throws Error(internal) naming the key when it is absent or of another type.
std::int64_t get_int(const Params& params, const std::string& key);
bool get_bool(const Params& params, const std::string& key);
const std::string& get_string(const Params& params, const std::string& key);

}  // namespace bench
