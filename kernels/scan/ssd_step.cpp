// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_step.hpp"

#include <charconv>
#include <string_view>

namespace bench::scan {
namespace {

bool read(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

StepLimits<double> parse_step_limits(const std::string& text) {
  const std::string_view whole = text;
  const std::size_t cut = whole.find(':');
  StepLimits<double> limits;
  const bool numbers = cut != std::string_view::npos && read(whole.substr(0, cut), limits.low) && read(whole.substr(cut + 1), limits.high);
  if (!numbers || !(limits.low >= 0.0 && limits.low < limits.high))
    usage_error(concat("dt_limit '", text, "' is not low:high; allowed: 0 <= low < high, which may be inf, such as 0.001:0.1"));
  return limits;
}

}  // namespace bench::scan
