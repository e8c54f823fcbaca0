// SPDX-License-Identifier: Apache-2.0
#include "src/device/architectures.hpp"

#include <algorithm>
#include <sstream>

namespace bench::device {
namespace {

/// One entry of the list, taken apart.
struct Entry {
  int major = 0, minor = 0;
  char variant = '\0';  // 'a': this chip alone, 'f': its family
  bool machine_code = true, ptx = true;
};

Entry parse(const std::string& text) {
  Entry entry;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return {.machine_code = false, .ptx = false};  // "native", "all": CMake has resolved them before
  const int number = std::stoi(text.substr(0, digits));
  entry.major = number / 10;
  entry.minor = number % 10;
  if (digits < text.size() && text[digits] != '-') entry.variant = text[digits];
  entry.machine_code = !text.ends_with("-virtual");
  entry.ptx = !text.ends_with("-real");
  return entry;
}

Code code_of(const Entry& entry, int major, int minor) {
  const bool same = entry.major == major && entry.minor == minor;
  const bool within = entry.major == major && entry.minor <= minor;
  const bool later = within || entry.major < major;
  if (entry.machine_code && (entry.variant == 'a' ? same : within)) return Code::compiled;
  if (entry.ptx && (entry.variant == 'a' ? same : entry.variant == 'f' ? within : later)) return Code::by_driver;
  return Code::none;
}

}  // namespace

Code code_for(const std::string& list, int major, int minor) {
  Code best = Code::none;
  std::istringstream entries(list);
  for (std::string text; std::getline(entries, text, ',');) {
    const Code code = code_of(parse(text), major, minor);
    if (code == Code::compiled) return code;
    if (code != Code::none) best = code;
  }
  return best;
}

const char* built_for() {
  return BENCH_SCALE_CUDA_ARCHITECTURES;
}

std::string built_for_text() {
  std::string text;
  std::istringstream entries(built_for());
  for (std::string entry; std::getline(entries, entry, ',');) text += (text.empty() ? "sm_" : ", sm_") + entry;
  return text;
}

}  // namespace bench::device
