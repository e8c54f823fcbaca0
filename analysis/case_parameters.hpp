// SPDX-License-Identifier: Apache-2.0
// A case's parameters by name, for figures that are made from them: a file may come from a program that has others, so each has a value for
// when it is not there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "scaling/case.hpp"

namespace bench::analysis {

inline std::int64_t int_of(const Params& params, const char* name, std::int64_t otherwise) {
  const auto it = params.find(name);
  const auto* value = it == params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
  return value == nullptr ? otherwise : *value;
}

inline std::string text_of(const Params& params, const char* name, const char* otherwise) {
  const auto it = params.find(name);
  const auto* value = it == params.end() ? nullptr : std::get_if<std::string>(&it->second);
  return value == nullptr ? otherwise : *value;
}

/// "op|name=value|...": the op and all parameters but one. Cases of different kernels with equal keys are rivals.
inline std::string parameters_key(const scaling::Case& c, std::string_view left_out = {}) {
  std::string key = c.op;
  for (const auto& [name, value] : c.params)
    if (name != left_out) key += concat('|', name, '=', bench::to_text(value));
  return key;
}

}  // namespace bench::analysis
