// SPDX-License-Identifier: Apache-2.0
#include "src/system/nvidia_driver.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace bench::system {
namespace {

bool is_version(std::string_view word) {
  const auto is_part = [](char c) { return c == '.' || std::isdigit(static_cast<unsigned char>(c)) != 0; };
  return word.find('.') != word.npos && std::isdigit(static_cast<unsigned char>(word.front())) != 0 && std::ranges::all_of(word, is_part);
}

}  // namespace

std::string driver_version_in(std::string_view text) {
  // NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (...)
  std::istringstream first(std::string(text.substr(0, text.find('\n'))));
  for (std::string word; first >> word;)
    if (is_version(word)) return word;
  return {};
}

std::string nvidia_driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  return std::getline(file, line) ? driver_version_in(line) : std::string();
}

}  // namespace bench::system
