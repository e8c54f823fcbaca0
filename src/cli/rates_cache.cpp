// SPDX-License-Identifier: Apache-2.0
#include "src/cli/rates_cache.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/isa.hpp"
#include "scaling/identity.hpp"
#include "src/core/error.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Empty where there is neither variable.
fs::path cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') return fs::path(cache) / "bench_scale";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".cache" / "bench_scale";
  return {};
}

fs::path file_of(const std::string& key) {
  return cache_folder() / concat("rates-", key, ".json");
}

}  // namespace

std::string rates_key(const std::string& cpu_model, std::int64_t cores) {
  return scaling::sha256_hex(concat(cpu_model, '\n', cores, '\n', to_text(best_isa()), '\n', system::version_text())).substr(0, 16);
}

std::optional<KeptRates> kept_rates(const std::string& key) {
  if (cache_folder().empty()) return std::nullopt;
  std::ifstream file(file_of(key));
  const json kept = json::parse(file, nullptr, false);
  if (!kept.is_object() || !kept.contains("measured_utc") || !kept.contains("rates")) return std::nullopt;
  try {
    KeptRates rates{kept["measured_utc"].get<std::string>(), {}};
    for (const json& rate : kept["rates"])
      rates.rates.push_back({rate.at("name").get<std::string>(), rate.at("unit").get<std::string>(), rate.at("one_core").get<double>(),
                             rate.at("all_cores").get<double>()});
    return rates;
  } catch (const json::exception&) {
    return std::nullopt;  // written by something else
  }
}

void keep_rates(const std::string& key, const KeptRates& rates) {
  if (cache_folder().empty()) return;
  json list = json::array();
  for (const jobs::MachineRate& rate : rates.rates)
    list.push_back({{"name", rate.name}, {"unit", rate.unit}, {"one_core", rate.one_core}, {"all_cores", rate.all_cores}});
  std::error_code ignored;
  fs::create_directories(cache_folder(), ignored);
  fs::path temporary = file_of(key);
  temporary += ".tmp";
  std::ofstream(temporary) << json{{"measured_utc", rates.measured_utc}, {"rates", list}}.dump(1) << '\n';
  fs::rename(temporary, file_of(key), ignored);
}

}  // namespace bench::cli
