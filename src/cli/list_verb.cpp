// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "kernels/kernel.hpp"
#include "scaling/parameters.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/torch_plugin.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {
namespace {

using nlohmann::ordered_json;

ordered_json describe(const Kernel& kernel) {
  ordered_json dtypes = ordered_json::array();
  for (const DType dtype : kernel.dtypes) dtypes.push_back(to_text(dtype));
  return {{"name", kernel.name},     {"op", kernel.op},         {"backend", to_text(kernel.backend)}, {"dtypes", dtypes},
          {"passes", kernel.passes}, {"collective", kernel.collective}, {"about", kernel.about}};
}

ordered_json describe(const Op& op) {
  ordered_json params = ordered_json::array();
  for (const auto* list : {&op.params, &common_params(), &scaling::protocol_params()})
    for (const ParamSpec& spec : *list)
      params.push_back({{"name", spec.name}, {"default", to_text(spec.fallback)}, {"help", spec.help}});
  return {{"name", op.name}, {"help", op.help}, {"params", params}};
}

std::vector<std::string> study_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(studies_dir()))
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

ordered_json everything() {
  ordered_json all{{"ops", ordered_json::array()}, {"kernels", ordered_json::array()}, {"unavailable", ordered_json::array()}, {"studies", study_names()}};
  const auto missing = load_gated_kernels();
  for (const Op* op : Registry<Op>::instance().all()) all["ops"].push_back(describe(*op));
  for (const Kernel* kernel : Registry<Kernel>::instance().all()) all["kernels"].push_back(describe(*kernel));
  for (const auto& kernel : missing) all["unavailable"].push_back({{"name", kernel.name}, {"reason", kernel.reason}});
  return all;
}

std::string joined(const ordered_json& list) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ",") + item.get<std::string>();
  return text;
}

void print(const ordered_json& all) {
  std::cout << "ops\n";
  for (const auto& op : all["ops"]) {
    std::cout << "  " << op["name"].get<std::string>() << "  " << op["help"].get<std::string>() << "\n    ";
    for (const auto& param : op["params"]) std::cout << param["name"].get<std::string>() << '=' << param["default"].get<std::string>() << ' ';
    std::cout << '\n';
  }
  std::cout << "kernels\n";
  for (const auto& kernel : all["kernels"])
    std::printf("  %-38s %-6s %-20s %-7s %-10s %s\n", kernel["name"].get<std::string>().c_str(), kernel["backend"].get<std::string>().c_str(),
                joined(kernel["dtypes"]).c_str(), joined(kernel["passes"]).c_str(), kernel["collective"].get<bool>() ? "many ranks" : "one rank",
                kernel["about"].get<std::string>().c_str());
  std::fflush(stdout);
  for (const auto& kernel : all["unavailable"])
    std::cout << "  " << kernel["name"].get<std::string>() << "  unavailable: " << kernel["reason"].get<std::string>() << '\n';
  std::cout << "studies\n  " << joined(all["studies"]) << '\n';
}

}  // namespace

int list_verb(const Options& options) {
  const ordered_json all = everything();
  if (options.json)
    std::cout << all.dump(2) << '\n';
  else
    print(all);
  return kAllMeasured;
}

}  // namespace bench::cli
