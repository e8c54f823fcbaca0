// SPDX-License-Identifier: Apache-2.0
// The fields of RunSettings as a table: their names and what they may hold. Reading, writing and checking all
// go through it, so a setting is added by one line here and one in the struct.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scaling/study.hpp"

namespace bench::scaling {

inline constexpr std::int64_t kMostSamples = 1'000'000;  // or calls: more would not fit a day

struct IntegerSetting {
  const char* name;
  std::int64_t RunSettings::*field;
  std::int64_t least, most;
};
struct NumberSetting {
  const char* name;
  double RunSettings::*field;
  double least, most;
};
struct FlagSetting {
  const char* name;
  bool RunSettings::*field;
};
struct ChoiceSetting {
  const char* name;
  std::string RunSettings::*field;
  std::vector<std::string> allowed;
};

std::span<const IntegerSetting> integer_settings();
std::span<const NumberSetting> number_settings();
std::span<const ChoiceSetting> choice_settings();
std::span<const FlagSetting> flag_settings();

/// Names of all settings, sorted.
std::vector<std::string> setting_names();

/// "1, 2, 3" for an error message.
std::string join(const std::vector<std::string>& names);

}  // namespace bench::scaling
