// SPDX-License-Identifier: Apache-2.0
#include "scaling/parameters.hpp"

#include "scaling/nearest.hpp"
#include "scaling/value.hpp"

namespace bench::scaling {

const Op& require_op(const std::string& name) {
  const auto& registry = Registry<Op>::instance();
  if (const Op* op = registry.find(name)) return *op;
  std::vector<std::string> known;
  for (const Op* op : registry.all()) known.push_back(op->name);
  usage_error(concat("no op is called ", show(name), suggestion(name, known)));
}

std::vector<ParamSpec> all_params(const Op& op) {
  std::vector<ParamSpec> specs = op.params;
  specs.insert(specs.end(), common_params().begin(), common_params().end());
  return specs;
}

std::vector<std::string> param_names(const Op& op) {
  std::vector<std::string> names;
  for (const ParamSpec& spec : all_params(op)) names.push_back(spec.name);
  return names;
}

Params default_params(const Op& op) {
  Params params;
  for (const ParamSpec& spec : all_params(op)) params.emplace(spec.name, spec.fallback);
  return params;
}

void check_type(const Op& op, const std::string& name, const Value& value) {
  for (const auto* specs : {&op.params, &common_params()})
    for (const ParamSpec& spec : *specs)
      if (spec.name == name && spec.fallback.index() != value.index())
        usage_error(concat(name, " = ", show(to_text(value)), " is of type ", type_name(value), "; ", name,
                           " is of type ", type_name(spec.fallback), " (", spec.help, ")"));
}

std::string describe(const Params& point) {
  std::string text;
  for (const auto& [name, value] : point) text += concat(text.empty() ? "" : ", ", name, '=', to_text(value));
  return text;
}

}  // namespace bench::scaling
