// SPDX-License-Identifier: Apache-2.0
// parse_study: the top of a study and its `run:` and `filter:`; sweep_yaml reads the sweeps.
#include <charconv>
#include <cmath>
#include <set>

#include "scaling/nearest.hpp"
#include "scaling/settings.hpp"
#include "scaling/study.hpp"
#include "scaling/sweep.hpp"
#include "scaling/sweep_yaml.hpp"
#include "scaling/value.hpp"
#include "scaling/yaml_cursor.hpp"

namespace bench::scaling {
namespace {

std::int64_t read_integer(const YamlCursor& at) {
  const Value value = at.here([&] { return parse_value(at.text()); });
  const std::int64_t* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr) at.fail(concat(at.path(), " = ", show(at.text()), "; it has to be an integer"));
  return *number;
}

double read_number(const YamlCursor& at) {
  const std::string text = at.text();
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    at.fail(concat(at.path(), " = ", show(text), "; it has to be a number"));
  return number;
}

bool read_flag(const YamlCursor& at) {
  const std::string text = at.text();
  if (text != "true" && text != "false") at.fail(concat(at.path(), " = ", show(text), "; allowed: true, false"));
  return text == "true";
}

/// Each value is checked where it stands, against its own limits; then all together.
RunSettings read_run(const YamlCursor& at) {
  at.allow_keys(setting_names());
  RunSettings run;
  const auto set = [&](const char* name, const auto& assign) {
    const auto value = at.find(name);
    if (!value) return;
    RunSettings alone{.min_samples = 1, .max_samples = kMostSamples};
    assign(*value, alone);
    value->here([&] { check_settings(alone); });
    assign(*value, run);
  };
  for (const auto& s : integer_settings())
    set(s.name, [&](const YamlCursor& value, RunSettings& to) { to.*s.field = read_integer(value); });
  for (const auto& s : number_settings())
    set(s.name, [&](const YamlCursor& value, RunSettings& to) { to.*s.field = read_number(value); });
  for (const auto& s : choice_settings())
    set(s.name, [&](const YamlCursor& value, RunSettings& to) { to.*s.field = value.text(); });
  for (const auto& s : flag_settings())
    set(s.name, [&](const YamlCursor& value, RunSettings& to) { to.*s.field = read_flag(value); });
  at.here([&] { check_settings(run); });
  return run;
}

KernelFilter read_filter(const YamlCursor& at) {
  at.allow_keys({"only", "include", "exclude"});
  KernelFilter filter;
  if (const auto list = at.find("only")) filter.only = read_patterns(*list);
  if (const auto list = at.find("include")) filter.include = read_patterns(*list);
  if (const auto list = at.find("exclude")) filter.exclude = read_patterns(*list);
  return filter;
}

std::vector<Sweep> read_sweeps(const YamlCursor& at) {
  std::vector<Sweep> sweeps;
  std::set<std::string> names;
  for (const YamlCursor& item : at.items()) {
    sweeps.push_back(read_sweep(item, sweeps.size()));
    if (!names.insert(sweeps.back().name).second)
      item.fail(concat("sweep '", sweeps.back().name, "' stands twice; names have to differ"));
  }
  if (sweeps.empty()) at.fail("sweeps is empty; a study has at least one sweep");
  for (std::size_t i = 0; i < sweeps.size(); ++i) at.items()[i].here([&] { check_crossover(sweeps[i], sweeps); });
  return sweeps;
}

}  // namespace

Study parse_study(const std::string& text, const std::string& origin) {
  const YamlCursor top = YamlCursor::parse(text, origin);
  top.allow_keys({"schema_version", "name", "about", "run", "filter", "policy", "sweeps"});
  const YamlCursor version = top.require("schema_version");
  if (version.text() != "1")
    version.fail(concat("schema_version = ", show(version.text()), "; this program reads version 1"));
  Study study;
  study.name = read_name(top.require("name"));
  if (const auto about = top.find("about")) study.about = about->text();
  if (const auto run = top.find("run")) study.run = read_run(*run);
  if (const auto filter = top.find("filter")) study.filter = read_filter(*filter);
  if (const auto policy = top.find("policy")) study.policy = policy->text();
  study.sweeps = read_sweeps(top.require("sweeps"));
  return study;
}

}  // namespace bench::scaling
