// SPDX-License-Identifier: Apache-2.0
#include "src/comm/fault.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "src/core/error.hpp"

namespace bench::comm {
namespace {

constexpr std::array<std::string_view, 4> kKinds{"delay", "drop", "reorder", "die"};

[[noreturn]] void refuse(std::string_view entry, const std::string& why) {
  usage_error(concat("fault '", entry, "': ", why,
                     "; a fault is KIND@RANK:OPERATION with KIND drop, reorder or die, or "
                     "delay@RANK:OPERATION:SECONDS"));
}

/// Takes the part of `rest` before `end` (or all of it when `end` is not there).
std::string_view take_until(std::string_view& rest, char end) {
  const std::size_t at = rest.find(end);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return part;
}

template <class Number>
Number number(std::string_view entry, std::string_view text, const char* what) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    refuse(entry, concat("'", text, "' is no ", what));
  if (value < 0) refuse(entry, concat(what, " ", text, " is negative"));
  return value;
}

Fault parse_fault(std::string_view entry) {
  std::string_view rest = entry;
  const std::string_view kind = take_until(rest, '@');
  Fault fault;
  std::size_t k = 0;
  while (k < kKinds.size() && kKinds[k] != kind) ++k;
  if (k == kKinds.size()) refuse(entry, concat("there is no kind '", kind, "'"));
  fault.kind = static_cast<FaultKind>(k);
  fault.rank = number<int>(entry, take_until(rest, ':'), "rank");
  fault.operation = number<std::int64_t>(entry, take_until(rest, ':'), "operation");
  if (fault.kind == FaultKind::delay) {
    fault.seconds = number<double>(entry, take_until(rest, ':'), "number of seconds");
    if (!std::isfinite(fault.seconds)) refuse(entry, "a delay has to end");
  }
  if (!rest.empty()) refuse(entry, concat("'", rest, "' is too much"));
  return fault;
}

}  // namespace

std::string to_text(const Fault& fault) {
  const auto kind = kKinds[static_cast<std::size_t>(fault.kind)];
  const std::string text = concat(kind, "@", fault.rank, ":", fault.operation);
  return fault.kind == FaultKind::delay ? concat(text, ":", fault.seconds) : text;
}

std::vector<Fault> parse_faults(std::string_view text) {
  std::vector<Fault> faults;
  while (!text.empty()) faults.push_back(parse_fault(take_until(text, ',')));
  return faults;
}

}  // namespace bench::comm
