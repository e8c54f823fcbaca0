// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/markup.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

namespace bench::analysis {
namespace {

using nlohmann::json;

bool is_line_or_tab(char c) {
  return c == '\n' || c == '\r' || c == '\t';
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && !is_line_or_tab(c)) || byte == 0x7f;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

/// Each character of `special` as a character reference.
std::string with_references(const std::string& text, std::string_view special) {
  std::string safe;
  for (const char c : text) {
    if (special.find(c) == std::string_view::npos)
      safe += c;
    else
      safe += "&#" + std::to_string(static_cast<int>(c)) + ';';
  }
  return safe;
}

/// An address as plain text: hosts make links of them.
std::string without_addresses(std::string text) {
  replace_all(text, "://", ":<!-- -->//");
  return text;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (is_line_or_tab(c)) c = ' ';
  return text;
}

}  // namespace

std::string printable(const std::string& text) {
  std::string clean =
      json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
  for (char& c : clean)
    if (is_control(c)) c = '?';
  replace_all(clean, "\xEF\xBF\xBE", "?");
  replace_all(clean, "\xEF\xBF\xBF", "?");
  return clean;
}

std::string xml_text(const std::string& text) {
  return with_references(printable(text), "&<>\"'\n\r\t");
}

std::string markdown_text(const std::string& text) {
  std::string safe = with_references(one_line(printable(text)), "&<>|`*_[]~\\#$");
  replace_all(safe, "@", "@<!-- -->");  // "@name" in a comment would call that person
  return without_addresses(safe);
}

std::string markdown_code(const std::string& text) {
  const std::string safe = with_references(one_line(printable(text)), "&<>|`*_[]~\\$@");
  return "<code>" + without_addresses(safe) + "</code>";
}

}  // namespace bench::analysis
