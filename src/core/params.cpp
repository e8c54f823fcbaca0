// SPDX-License-Identifier: Apache-2.0
#include "src/core/params.hpp"

#include "src/core/error.hpp"

namespace bench {
namespace {

template <class T>
const T& get(const Params& params, const std::string& key, const char* type) {
  const auto it = params.find(key);
  BS_REQUIRE(it != params.end(), "there is no parameter '", key, "'");
  const T* value = std::get_if<T>(&it->second);
  BS_REQUIRE(value != nullptr, "parameter '", key, "' is not ", type);
  return *value;
}

}  // namespace

std::string to_text(const Value& value) {
  if (const bool* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const std::int64_t* i = std::get_if<std::int64_t>(&value)) return std::to_string(*i);
  return std::get<std::string>(value);
}

std::int64_t get_int(const Params& params, const std::string& key) { return get<std::int64_t>(params, key, "an integer"); }
bool get_bool(const Params& params, const std::string& key) { return get<bool>(params, key, "true or false"); }
const std::string& get_string(const Params& params, const std::string& key) { return get<std::string>(params, key, "a string"); }

}  // namespace bench
