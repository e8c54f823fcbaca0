// SPDX-License-Identifier: Apache-2.0
// Reading the small text files of /proc and /sys. Nothing here throws: what cannot be read is absent.
#pragma once

#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace bench::system {

/// `text` without white space at its ends.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// The whole file, or nullopt when it cannot be read.
inline std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return std::nullopt;
  return text;
}

/// The integer that `text` starts with after blanks ("  42 kB" is 42); nullopt for "max", nothing, or what
/// exceeds 64 bits.
inline std::optional<std::int64_t> leading_int(std::string_view text) {
  text = trimmed(text);
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return std::nullopt;
  return value;
}

/// The rest of the first line that starts with `key`, trimmed: value_of("MemTotal: 5 kB\n", "MemTotal:") is
/// "5 kB".
inline std::optional<std::string> value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(key)) return std::string(trimmed(line.substr(key.size())));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace bench::system
