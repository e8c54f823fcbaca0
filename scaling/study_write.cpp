// SPDX-License-Identifier: Apache-2.0
// to_yaml: every setting and clause spelled out, so that the file alone repeats the run.
#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>

#include "scaling/settings.hpp"
#include "scaling/study.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {
namespace {

using YAML::Emitter;

/// Always quoted: what looks like a number, a boolean or an alias stays the text it is.
void put(Emitter& out, const std::string& text) {
  out << YAML::DoubleQuoted << text;
}

void put(Emitter& out, const Value& value) {
  if (std::holds_alternative<std::string>(value)) {
    put(out, format_value(value));
  } else {
    out << to_text(value);
  }
}

/// The shortest decimal that reads back to the same double.
std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

template <class Item, class Write>
void put_list(Emitter& out, const std::vector<Item>& items, const Write& write) {
  out << YAML::Flow << YAML::BeginSeq;
  for (const Item& item : items) write(item);
  out << YAML::EndSeq;
}

template <class Item>
void put_list(Emitter& out, const std::vector<Item>& items) {
  put_list(out, items, [&](const Item& item) { put(out, item); });
}

void put_texts(Emitter& out, const char* key, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out << YAML::Key << key << YAML::Value;
  put_list(out, texts);
}

void put_point(Emitter& out, const Params& point) {
  out << YAML::Flow << YAML::BeginMap;
  for (const auto& [name, value] : point) {
    out << YAML::Key << name << YAML::Value;
    put(out, value);
  }
  out << YAML::EndMap;
}

void put_run(Emitter& out, const RunSettings& run) {
  out << YAML::Key << "run" << YAML::Value << YAML::BeginMap;
  for (const auto& s : integer_settings()) out << YAML::Key << s.name << YAML::Value << run.*s.field;
  for (const auto& s : number_settings()) out << YAML::Key << s.name << YAML::Value << shortest(run.*s.field);
  for (const auto& s : choice_settings()) out << YAML::Key << s.name << YAML::Value << run.*s.field;
  for (const auto& s : flag_settings()) out << YAML::Key << s.name << YAML::Value << run.*s.field;
  out << YAML::EndMap;
}

void put_filter(Emitter& out, const KernelFilter& filter) {
  if (filter.only.empty() && filter.include.empty() && filter.exclude.empty()) return;
  out << YAML::Key << "filter" << YAML::Value << YAML::BeginMap;
  put_texts(out, "only", filter.only);
  put_texts(out, "include", filter.include);
  put_texts(out, "exclude", filter.exclude);
  out << YAML::EndMap;
}

void put_zips(Emitter& out, const std::vector<AxisSpec::Zip>& zips) {
  if (zips.empty()) return;
  out << YAML::Key << "zip" << YAML::Value << YAML::BeginSeq;
  for (const AxisSpec::Zip& zip : zips) {
    out << YAML::Flow << YAML::BeginMap << YAML::Key;
    put_list(out, zip.names, [&](const std::string& name) { out << name; });
    out << YAML::Value;
    put_list(out, zip.tuples, [&](const std::vector<Value>& tuple) { put_list(out, tuple); });
    out << YAML::EndMap;
  }
  out << YAML::EndSeq;
}

void put_clauses(Emitter& out, const AxisSpec& spec) {
  if (!spec.axes.empty()) {
    out << YAML::Key << "axes" << YAML::Value << YAML::BeginMap;
    for (const Axis& axis : spec.axes) {
      out << YAML::Key << axis.name << YAML::Value;
      put_list(out, axis.values);
    }
    out << YAML::EndMap;
  }
  put_zips(out, spec.zips);
  if (!spec.lets.empty()) {
    out << YAML::Key << "let" << YAML::Value << YAML::BeginMap;
    for (const auto& [name, text] : spec.lets) {
      out << YAML::Key << name << YAML::Value;
      put(out, text);
    }
    out << YAML::EndMap;
  }
  put_texts(out, "where", spec.where);
  put_texts(out, "except", spec.except);
  if (!spec.include.empty()) {
    out << YAML::Key << "include" << YAML::Value << YAML::BeginSeq;
    for (const Params& point : spec.include) put_point(out, point);
    out << YAML::EndSeq;
  }
  if (!spec.fixed.empty()) {
    out << YAML::Key << "fixed" << YAML::Value;
    put_point(out, spec.fixed);
  }
}

void put_sweep(Emitter& out, const Sweep& sweep) {
  out << YAML::BeginMap << YAML::Key << "name" << YAML::Value;
  put(out, sweep.name);
  out << YAML::Key << "op" << YAML::Value;
  put(out, sweep.op);
  put_texts(out, "kernels", sweep.kernels);
  if (!sweep.baseline.empty()) {
    out << YAML::Key << "baseline" << YAML::Value;
    put(out, sweep.baseline);
  }
  put_clauses(out, sweep.axes);
  if (sweep.scaling) {
    out << YAML::Key << "scaling" << YAML::Value << YAML::Flow << YAML::BeginMap << YAML::Key << "mode"
        << YAML::Value << sweep.scaling->mode;
    if (!sweep.scaling->by.empty()) out << YAML::Key << "by" << YAML::Value << sweep.scaling->by;
    out << YAML::Key << "ranks" << YAML::Value;
    put_list(out, sweep.scaling->ranks, [&](std::int64_t count) { out << count; });
    if (sweep.scaling->base > 0) out << YAML::Key << "base" << YAML::Value << sweep.scaling->base;
    out << YAML::EndMap;
  }
  if (sweep.crossover) {
    out << YAML::Key << "crossover" << YAML::Value << YAML::Flow << YAML::BeginMap << YAML::Key << "against" << YAML::Value;
    put(out, sweep.crossover->against);
    out << YAML::Key << "along" << YAML::Value << sweep.crossover->along << YAML::EndMap;
  }
  out << YAML::EndMap;
}

}  // namespace

std::string to_yaml(const Study& study) {
  Emitter out;
  out << YAML::BeginMap << YAML::Key << "schema_version" << YAML::Value << 1;
  out << YAML::Key << "name" << YAML::Value;
  put(out, study.name);
  if (!study.about.empty()) {
    out << YAML::Key << "about" << YAML::Value;
    put(out, study.about);
  }
  put_run(out, study.run);
  put_filter(out, study.filter);
  if (!study.policy.empty()) {
    out << YAML::Key << "policy" << YAML::Value;
    put(out, study.policy);
  }
  out << YAML::Key << "sweeps" << YAML::Value << YAML::BeginSeq;
  for (const Sweep& sweep : study.sweeps) put_sweep(out, sweep);
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace bench::scaling
