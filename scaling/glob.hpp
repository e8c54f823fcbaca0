// SPDX-License-Identifier: Apache-2.0
// Patterns over kernel names: `*` any run of characters (slashes too), `?` one character, everything else
// itself, the whole name; or `re:REGEX`, an ECMAScript expression that is searched for anywhere in the name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bench::scaling {

/// Whether `pattern` is a name as it stands: no wildcard, no `re:`.
bool is_plain_name(std::string_view pattern);

/// Whether `name` fits `pattern`. A regular expression that is malformed or longer than 200 characters is a
/// usage error.
bool matches(std::string_view pattern, std::string_view name);

/// Whether `name` fits at least one of `patterns`; false for an empty list.
bool matches_any(const std::vector<std::string>& patterns, std::string_view name);

}  // namespace bench::scaling
