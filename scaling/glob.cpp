// SPDX-License-Identifier: Apache-2.0
#include "scaling/glob.hpp"

#include <algorithm>
#include <regex>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

constexpr std::string_view kRegexMark = "re:";
constexpr std::size_t kLongestRegex =
    200;  // kernel names are short; a longer expression is a mistake or an attack

/// Linear scan that remembers the last `*` only: a later star can always take over from an earlier one.
bool matches_glob(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool matches_regex(std::string_view text, std::string_view name) {
  if (text.size() > kLongestRegex)
    usage_error(concat("a regular expression has ", text.size(), " characters; allowed: ", kLongestRegex));
  try {
    const std::regex regex(text.begin(), text.end(), std::regex::ECMAScript);
    return std::regex_search(name.begin(), name.end(), regex);
  } catch (const std::regex_error& error) {
    usage_error(concat("'re:", text, "' is not a regular expression: ", error.what()));
  }
}

}  // namespace

bool is_plain_name(std::string_view pattern) {
  return !pattern.starts_with(kRegexMark) && pattern.find_first_of("*?") == std::string_view::npos;
}

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.starts_with(kRegexMark)) return matches_regex(pattern.substr(kRegexMark.size()), name);
  return matches_glob(pattern, name);
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches(pattern, name); });
}

}  // namespace bench::scaling
