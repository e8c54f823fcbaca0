// SPDX-License-Identifier: Apache-2.0
#include "scaling/value.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

/// Bits that a suffix letter shifts by; 0 when the letter is none.
int suffix_bits(char c) {
  switch (c) {
    case 'k':
    case 'K':
      return 10;
    case 'm':
    case 'M':
      return 20;
    case 'g':
    case 'G':
      return 30;
    default:
      return 0;
  }
}

bool is_word(std::string_view text) {
  if (text.empty() || !(is_name_start(text.front()) || text.front() == '/')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_printable(c) && std::string_view(" '\",{}").find(c) == std::string_view::npos;
  });
}

Value parse_number(std::string_view text) {
  const bool negative = text.front() == '-';
  const std::string_view digits = text.substr(negative ? 1 : 0);
  const ScannedInteger scanned = scan_integer(digits);
  if (scanned.length != digits.size())
    usage_error(concat("value ", show(text),
                       " is not an integer; allowed: decimal digits with k, m or g (powers of 1024); quote "
                       "it to mean a word"));
  if (scanned.overflow) usage_error(concat("value ", show(text), " does not fit in 63 bits"));
  return negative ? -scanned.value : scanned.value;
}

}  // namespace

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c);
}

ScannedInteger scan_integer(std::string_view text) {
  ScannedInteger result;
  for (; result.length < text.size() && is_digit(text[result.length]); ++result.length) {
    result.overflow |= __builtin_mul_overflow(result.value, std::int64_t{10}, &result.value);
    result.overflow |=
        __builtin_add_overflow(result.value, std::int64_t{text[result.length] - '0'}, &result.value);
  }
  if (result.length == 0 || result.length == text.size()) return result;
  const int bits = suffix_bits(text[result.length]);
  const bool word_goes_on = result.length + 1 < text.size() && is_name_part(text[result.length + 1]);
  if (bits == 0 || word_goes_on) return result;
  ++result.length;
  result.overflow |= __builtin_mul_overflow(result.value, std::int64_t{1} << bits, &result.value);
  return result;
}

ScannedText scan_quoted(std::string_view text) {
  ScannedText result;
  const char quote = text.empty() ? '\'' : text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) {
      result.content += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == quote) {
      result.content += text[i++];
    } else {
      result.length = i + 1;
      return result;
    }
  }
  return result;
}

Value parse_value(std::string_view raw) {
  const std::string_view text = trim(raw);
  if (text.empty())
    usage_error("a value is empty; allowed: an integer, true, false, a word or a quoted text");
  if (text == "true" || text == "false") return text == "true";
  if (text.front() == '\'' || text.front() == '"') {
    ScannedText quoted = scan_quoted(text);
    if (quoted.length != text.size()) usage_error(concat("value ", show(text), ": the quotes do not match"));
    if (!std::all_of(quoted.content.begin(), quoted.content.end(), is_printable))
      usage_error(concat("value ", show(text), " holds characters outside printable ASCII"));
    return std::move(quoted.content);
  }
  const bool negative = text.size() > 1 && text.front() == '-' && is_digit(text[1]);
  if (negative || is_digit(text.front())) return parse_number(text);
  if (!is_word(text))
    usage_error(concat("value ", show(text),
                       " is neither an integer, true, false nor a word (a letter, '_' or '/' first, then "
                       "printable ASCII without "
                       "blanks, quotes, ',', '{' and '}'); quote it to mean a text"));
  return std::string(text);
}

std::string format_value(const Value& value) {
  const std::string* text = std::get_if<std::string>(&value);
  if (text == nullptr) return to_text(value);
  if (!std::all_of(text->begin(), text->end(), is_printable))
    usage_error(concat("value ", show(*text), " holds characters outside printable ASCII"));
  // ".." would read as a range inside an axis.
  const bool bare =
      is_word(*text) && *text != "true" && *text != "false" && text->find("..") == std::string::npos;
  if (bare) return *text;
  std::string quoted = "'";
  for (const char c : *text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return quoted + "'";
}

const char* type_name(const Value& value) {
  if (std::holds_alternative<bool>(value)) return "boolean";
  return std::holds_alternative<std::int64_t>(value) ? "integer" : "text";
}

std::string show(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string shown(text.substr(0, kLongest));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return !is_printable(c); }, '?');
  return "'" + shown + (text.size() > kLongest ? "...'" : "'");
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace bench::scaling
