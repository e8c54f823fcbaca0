// SPDX-License-Identifier: Apache-2.0
// bench_simulate [--trials N] [--seed N]: prints one table a question. The two flags are read by hand, as
// only the front door's room knows the library for command lines. Exit codes as of bench_scale: 0 done, 2 a
// wrong flag.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <exception>
#include <iostream>
#include <optional>
#include <span>
#include <string>

#include "analysis/tools/simulations.hpp"
#include "src/core/error.hpp"

namespace bench::analysis::tools {

double Noise::exponential() {
  return -std::log(1.0 - rng_.uniform(next_++));
}

std::string percent(std::int64_t count, std::int64_t of) {
  if (of == 0) return "-";
  const double share = static_cast<double>(count) / static_cast<double>(of);
  return fmt::format("{:.2f} +- {:.2f}", 100.0 * share,
                     100.0 * std::sqrt(share * (1.0 - share) / static_cast<double>(of)));
}

namespace {

constexpr Study kDefault{.trials = 2000, .seed = 1};
constexpr std::int64_t kMostTrials = 1'000'000;
constexpr const char* kHelp =
    "bench_simulate [--trials N] [--seed N]\n"
    "How often are intervals, verdicts and the gate right, on simulated times?\n"
    "  --trials N  series, tables and changes to a row (default 2000: under a minute)\n"
    "  --seed N    the same seed prints the same tables (default 1)\n";

std::int64_t whole_number(const std::string& flag, const std::string& text, std::int64_t least,
                          std::int64_t most) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || value < least || value > most)
    usage_error(concat(flag, ": '", text, "' is no whole number from ", least, " to ", most));
  return value;
}

/// Flags and their values, after the program's name. No study when help is asked for.
std::optional<Study> read_flags(std::span<char*> words) {
  Study study = kDefault;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string flag = words[i];
    if (flag == "--help" || flag == "-h") return std::nullopt;
    if (flag != "--trials" && flag != "--seed")
      usage_error(concat("'", flag, "' is no flag; there are --trials, --seed and --help"));
    if (i + 1 == words.size()) usage_error(concat(flag, " needs a whole number"));
    if (flag == "--trials") study.trials = whole_number(flag, words[i + 1], 1, kMostTrials);
    if (flag == "--seed")
      study.seed = static_cast<std::uint64_t>(whole_number(flag, words[i + 1], 0, INT64_MAX));
  }
  return study;
}

void print(const char* title, const TextTable& table) {
  std::cout << title << '\n' << table.text() << std::endl;
}

void run(std::span<char*> words) {
  const std::optional<Study> study = read_flags(words);
  if (!study) {
    std::cout << kHelp;
    return;
  }
  std::cout << fmt::format("trials {}, seed {}; +- is one standard error\n\n", study->trials, study->seed);
  print(
      "Intervals of 95 % after the whole stop rule: share of converged series whose interval holds the "
      "median",
      coverage_table(*study));
  print("The same program on both sides, 50 cases a table: faster or slower is called wrongly",
        verdict_table(*study));
  print("The default gate on changes of 10 cases", gate_table(*study));
}

}  // namespace
}  // namespace bench::analysis::tools

int main(int argc, char** argv) {
  try {
    bench::analysis::tools::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
    return 0;
  } catch (const bench::Error& error) {
    std::cerr << "bench_simulate: " << error.what() << '\n';
    return error.kind() == bench::ErrorKind::usage ? 2 : 3;
  } catch (const std::exception& error) {
    std::cerr << "bench_simulate: " << error.what() << '\n';
    return 3;
  }
}
