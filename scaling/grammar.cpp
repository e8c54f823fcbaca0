// SPDX-License-Identifier: Apache-2.0
#include "scaling/grammar.hpp"

#include <algorithm>

#include "scaling/value.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

constexpr const char* kAllowed =
    "; allowed: a,b,c | lo..hi*f with lo >= 1 and f >= 2 | lo..hi+s with s >= 1, where k, m and g are powers "
    "of 1024";

[[noreturn]] void range_error(std::string_view item, const std::string& problem) {
  usage_error(concat("range ", show(item), ": ", problem, kAllowed));
}

/// Reads one item from left to right, skipping blanks between its parts.
class ItemReader {
 public:
  explicit ItemReader(std::string_view item) : item_(item), rest_(trim(item)) {}

  bool take(std::string_view token) {
    if (rest_.substr(0, token.size()) != token) return false;
    rest_ = trim(rest_.substr(token.size()));
    return true;
  }

  std::int64_t integer(const char* part) {
    const bool negative = take("-");
    const ScannedInteger scanned = scan_integer(rest_);
    if (scanned.length == 0) range_error(item_, concat(part, " is not an integer"));
    if (scanned.overflow) range_error(item_, concat(part, " does not fit in 63 bits"));
    rest_ = trim(rest_.substr(scanned.length));
    return negative ? -scanned.value : scanned.value;
  }

  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view item_;
  std::string_view rest_;
};

struct Range {
  std::int64_t lo = 0, hi = 0, step = 0;
  bool geometric = false;
};

bool starts_like_number(std::string_view item) {
  return is_digit(item.front()) || (item.size() > 1 && item.front() == '-' && is_digit(item[1]));
}

/// An item is a range when ".." stands in it, or when it is number-dash-number.
bool is_range(std::string_view item) {
  if (item.front() == '\'' || item.front() == '"') return false;
  if (item.find("..") != std::string_view::npos) return true;
  return starts_like_number(item) && item.find_first_of("-*+", 1) != std::string_view::npos;
}

Range read_range(std::string_view item) {
  ItemReader reader(item);
  Range range;
  range.lo = reader.integer("lo");
  const bool dotted = reader.take("..");
  if (!dotted && !reader.take("-")) range_error(item, "'..' must follow lo");
  range.hi = reader.integer("hi");
  if (!dotted && (range.lo < 0 || range.hi < 0))
    range_error(item, "write '..' between ends that may be negative");
  range.geometric = reader.take("*");
  if (!range.geometric && !reader.take("+")) range_error(item, "'*f' or '+s' must follow hi");
  range.step = reader.integer(range.geometric ? "f" : "s");
  if (!reader.at_end()) range_error(item, "something follows the step");
  return range;
}

void check(const Range& range, std::string_view item) {
  if (range.hi < range.lo) range_error(item, concat("hi (", range.hi, ") is below lo (", range.lo, ")"));
  if (range.geometric && range.step < 2) range_error(item, concat("the factor ", range.step, " is below 2"));
  if (range.geometric && range.lo < 1)
    range_error(item, concat("lo (", range.lo, ") is below 1 in a geometric range"));
  if (!range.geometric && range.step < 1) range_error(item, concat("the step ", range.step, " is below 1"));
}

void append_range(std::string_view item, std::vector<Value>& values) {
  const Range range = read_range(item);
  check(range, item);
  for (std::int64_t value = range.lo; value <= range.hi;) {
    if (values.size() >= kMaxAxisValues) range_error(item, concat("more than ", kMaxAxisValues, " values"));
    values.emplace_back(value);
    const bool overflow = range.geometric ? __builtin_mul_overflow(value, range.step, &value)
                                          : __builtin_add_overflow(value, range.step, &value);
    if (overflow) return;  // the next value is beyond any hi
  }
}

/// Splits at commas outside quotes; the pieces are trimmed.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> items;
  std::size_t begin = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;  // a doubled quote closes and opens again: the same outcome
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == ',') {
      items.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  items.push_back(trim(text.substr(begin)));
  return items;
}

std::string_view without_braces(std::string_view text) {
  if (text.empty() || text.front() != '{') return text;
  if (text.size() < 2 || text.back() != '}') range_error(text, "'{' has no '}' at the end");
  return trim(text.substr(1, text.size() - 2));
}

}  // namespace

std::vector<Value> parse_range(std::string_view text) {
  const std::string_view body = without_braces(trim(text));
  if (body.empty()) range_error(text, "the axis has no value");
  std::vector<Value> values;
  for (const std::string_view item : split(body)) {
    if (item.empty()) range_error(text, "an item of the list is empty");
    if (is_range(item)) {
      append_range(item, values);
    } else {
      values.push_back(parse_value(item));
    }
    if (values.size() > kMaxAxisValues) range_error(text, concat("more than ", kMaxAxisValues, " values"));
  }
  return values;
}

std::string format_range(const std::vector<Value>& values) {
  if (values.empty()) usage_error("an axis has no value");
  std::string text;
  for (const Value& value : values) text += (text.empty() ? "" : ",") + format_value(value);
  return text;
}

Params parse_point(std::string_view text) {
  Params point;
  for (const std::string_view item : split(without_braces(trim(text)))) {
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string name(trim(item.substr(0, equals)));
    const bool is_name =
        !name.empty() && is_name_start(name[0]) && std::all_of(name.begin(), name.end(), is_name_part);
    if (!is_name || equals == item.size())
      usage_error(concat("point ", show(text), ": ", show(item),
                         " is not name=value; allowed: name=value,name=value,..."));
    if (!point.emplace(name, parse_value(item.substr(equals + 1))).second)
      usage_error(concat("point ", show(text), ": '", name, "' is given twice"));
  }
  return point;
}

}  // namespace bench::scaling
