// SPDX-License-Identifier: Apache-2.0
#include "scaling/settings.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

constexpr double kHour_s = 3600.0;

constexpr std::array<IntegerSetting, 6> kIntegers{{
    {"warmup", &RunSettings::warmup, 0, kMostSamples},
    {"min_samples", &RunSettings::min_samples, 1, kMostSamples},
    {"max_samples", &RunSettings::max_samples, 1, kMostSamples},
    {"visits", &RunSettings::visits, 1, 10'000},
    {"scaling_visits", &RunSettings::scaling_visits, 1, 10'000},
    {"seed", &RunSettings::seed, 0, std::numeric_limits<std::int64_t>::max()},
}};

constexpr std::array<NumberSetting, 5> kNumbers{{
    {"ci", &RunSettings::ci, 1e-4, 1.0},
    {"confidence", &RunSettings::confidence, 0.5, 0.9999},
    {"min_time", &RunSettings::min_time, 0.0, kHour_s},
    {"warmup_time", &RunSettings::warmup_time, 0.0, kHour_s},
    {"budget", &RunSettings::budget, 1e-3, 24.0 * kHour_s},
}};

constexpr std::array<FlagSetting, 1> kFlags{{{"allow_shared_gpu", &RunSettings::allow_shared_gpu}}};

const std::array<ChoiceSetting, 7>& choices() {
  static const std::array<ChoiceSetting, 7> table{{
      {"order", &RunSettings::order, {"auto", "longest", "shuffle", "abba", "given"}},
      {"placement", &RunSettings::placement, {"packed", "solo", "replicated"}},
      {"isolation", &RunSettings::isolation, {"auto", "node", "none"}},
      {"schedule", &RunSettings::schedule, {"dynamic", "static"}},
      {"sync", &RunSettings::sync, {"auto", "window", "barrier"}},
      {"bind", &RunSettings::bind, {"auto", "none"}},
      {"limits", &RunSettings::limits, {"measure", "none"}},
  }};
  return table;
}

template <class T>
void check_range(const char* name, T value, T least, T most) {
  if (!(value >= least && value <= most))
    usage_error(concat("run.", name, " = ", value, "; allowed: ", least, " to ", most));
}

}  // namespace

std::span<const IntegerSetting> integer_settings() {
  return kIntegers;
}
std::span<const NumberSetting> number_settings() {
  return kNumbers;
}
std::span<const ChoiceSetting> choice_settings() {
  return choices();
}
std::span<const FlagSetting> flag_settings() {
  return kFlags;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const auto& setting : kIntegers) names.emplace_back(setting.name);
  for (const auto& setting : kNumbers) names.emplace_back(setting.name);
  for (const auto& setting : choices()) names.emplace_back(setting.name);
  for (const auto& setting : kFlags) names.emplace_back(setting.name);
  std::ranges::sort(names);
  return names;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void check_settings(const RunSettings& run) {
  for (const auto& s : kIntegers) check_range(s.name, run.*s.field, s.least, s.most);
  for (const auto& s : kNumbers) check_range(s.name, run.*s.field, s.least, s.most);
  for (const auto& s : choices())
    if (std::ranges::find(s.allowed, run.*s.field) == s.allowed.end())
      usage_error(concat("run.", s.name, " = '", run.*s.field, "'; allowed: ", join(s.allowed)));
  if (run.max_samples < run.min_samples)
    usage_error(
        concat("run.max_samples = ", run.max_samples, " is below run.min_samples = ", run.min_samples));
}

}  // namespace bench::scaling
