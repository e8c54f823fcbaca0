// SPDX-License-Identifier: Apache-2.0
#include "src/system/provenance.hpp"

#include <openssl/evp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "build_info.hpp"
#include "src/core/error.hpp"
#include "src/system/limits.hpp"
#include "src/system/proc_files.hpp"
#include "src/system/topology.hpp"

namespace bench::system {
namespace {

using Json = nlohmann::ordered_json;

// A count or size of 0 and an empty text mean that nobody could tell.
template <class T>
Json known(const T& value) {
  if (value == T{}) return kUnavailable;
  return value;
}
template <class T>
Json known(const std::optional<T>& value) {
  if (!value) return kUnavailable;
  return *value;
}

std::string text_file(const char* path) {
  return std::string(trimmed(read_text(path).value_or("")));
}

Json build() {
  using namespace build_info;
  return {{"version", kVersion},      {"commit", kCommit},     {"dirty", kDirty},
          {"build_type", kBuildType}, {"compiler", kCompiler}, {"flags", kFlags}};
}

Json host(bool keep_host) {
  utsname kernel{};
  if (uname(&kernel) != 0) return kUnavailable;
  const auto os = value_of(read_text("/etc/os-release").value_or(""), "PRETTY_NAME=").value_or("");
  return {{"name", keep_host ? std::string(kernel.nodename) : hashed_name(kernel.nodename)},
          {"name_is_hashed", !keep_host},
          {"kernel", std::string(kernel.release)},
          {"architecture", std::string(kernel.machine)},
          {"os", known(os.size() > 2 && os.front() == '"' ? os.substr(1, os.size() - 2) : os)}};
}

Json load_average() {
  std::array<double, 3> minutes_1_5_15{};
  if (getloadavg(minutes_1_5_15.data(), 3) != 3) return kUnavailable;
  return minutes_1_5_15;
}

Json cpu() {
  const auto features = isa_features(read_text("/proc/cpuinfo").value_or(""));
  Json section{{"model", kUnavailable}};
  try {
    const Topology topology;
    const Machine& m = topology.machine();
    section = {{"model", known(m.cpu_model)},
               {"packages", known(m.packages)},
               {"numa_nodes", known(m.numa_nodes)},
               {"cores", known(m.cores)},
               {"threads", known(m.threads)},
               {"l1d_bytes", known(m.l1d_bytes)},
               {"l2_bytes", known(m.l2_bytes)},
               {"l3_bytes", known(m.l3_bytes)},
               {"binding", known(topology.current_binding())}};
  } catch (const Error&) {
    section["topology"] = kUnavailable;
  }
  section["quota_cores"] = known(cpu_quota_cores());
  section["isa"] = known(features);
  section["governor"] = known(text_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  section["smt_active"] = known(text_file("/sys/devices/system/cpu/smt/active"));
  section["load_average"] = load_average();
  return section;
}

Json memory() {
  const auto total_kib =
      leading_int(value_of(read_text("/proc/meminfo").value_or(""), "MemTotal:").value_or(""));
  return {{"total_bytes", total_kib ? Json(*total_kib * 1024) : Json(kUnavailable)},
          {"available_bytes", known(available_memory_bytes())},
          {"transparent_hugepages", known(text_file("/sys/kernel/mm/transparent_hugepage/enabled"))}};
}

Json library_versions(const LibraryVersions& given) {
  Json section{{"mpi", kUnavailable}, {"hdf5", build_info::kHdf5}, {"openmp", build_info::kOpenmp}};
  for (const auto& [name, version] : given) section[name] = known(version);
  return section;
}

Json variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? Json(kUnavailable) : Json(value);
}

// Sorted copies of the environment's entries whose names start with one of `prefixes`.
template <std::size_t N>
std::map<std::string, std::string> variables_with(const std::array<std::string_view, N>& prefixes) {
  std::map<std::string, std::string> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    const auto starts = [&](std::string_view prefix) { return text.starts_with(prefix); };
    if (equals != std::string_view::npos && std::any_of(prefixes.begin(), prefixes.end(), starts)) {
      found.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return found;
}

Json slurm(bool keep_host) {
  if (std::getenv("SLURM_JOB_ID") == nullptr) return kUnavailable;
  Json section = Json::object();
  for (const char* name :
       {"SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_NNODES", "SLURM_NTASKS", "SLURM_GPUS_ON_NODE",
        "SLURM_CPUS_PER_TASK", "SLURM_RESTART_COUNT", "SLURM_JOB_PARTITION", "SLURM_JOB_QOS"}) {
    section[name] = variable(name);
  }
  if (const char* nodes = std::getenv("SLURM_JOB_NODELIST"); nodes != nullptr && !keep_host) {
    section["SLURM_JOB_NODELIST"] = hashed_name(nodes);
  }
  constexpr std::array<std::string_view, 1> kArray{"SLURM_ARRAY_"};
  for (const auto& [name, value] : variables_with(kArray)) section[name] = value;
  return section;
}

// Settings that change speed or behaviour without showing on the command line.
Json variables() {
  constexpr std::array<std::string_view, 9> kPrefixes{
      "BENCH_SCALE_", "OMP_", "GOMP_", "KMP_", "MKL_", "OMPI_MCA_", "UCX_", "NCCL_", "CUDA_VISIBLE_DEVICES"};
  Json section = Json::object();
  for (const auto& [name, value] : variables_with(kPrefixes)) section[name] = value;
  return section;
}

std::string clean_utf8(const std::string& text) {
  // Environment values and arguments are any bytes; JSON is UTF-8. Bad bytes become U+FFFD here, not an
  // exception in dump().
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

void clean_strings(Json& value) {
  if (value.is_string()) value = clean_utf8(value.get<std::string>());
  if (value.is_structured()) {
    for (auto& item : value) clean_strings(item);
  }
}

}  // namespace

Json provenance(const std::vector<std::string>& arguments, bool keep_host, const LibraryVersions& libraries) {
  Json all{{"started_utc", utc_now()},
           {"argv", arguments},
           {"build", build()},
           {"host", host(keep_host)},
           {"cpu", cpu()},
           {"memory", memory()},
           {"libraries", library_versions(libraries)},
           {"slurm", slurm(keep_host)},
           {"variables", variables()}};
  clean_strings(all);
  return all;
}

std::string version_text() {
  using namespace build_info;
  const std::string dirty = std::string_view(kDirty) == "yes" ? "+changes" : "";
  return concat("bench_scale ", kVersion, " (commit ", std::string_view(kCommit).substr(0, 12), dirty, ", ",
                kBuildType, ", ", kCompiler, ")");
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string hashed_name(const std::string& name) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  BS_REQUIRE(EVP_Digest(name.data(), name.size(), digest.data(), &length, EVP_sha256(), nullptr) == 1,
             "SHA-256 is not available");
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < 8; ++i) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 0xF];
  }
  return hex;
}

std::vector<std::string> isa_features(const std::string& cpuinfo) {
  constexpr std::array<std::string_view, 25> kInteresting{
      "sse4_2",      "avx",      "avx2",     "fma",      "f16c",        "avx_vnni",
      "avx512f",     "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16",
      "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "amx_fp16",  // x86
      "asimd",       "asimdhp",  "asimddp",  "bf16",     "i8mm",        "sve",
      "sve2",        "sme"};  // Arm
  auto line = value_of(cpuinfo, "flags");
  if (!line) line = value_of(cpuinfo, "Features");
  std::istringstream words(line.value_or(""));
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);
  std::vector<std::string> found;
  for (const auto name : kInteresting) {
    if (flags.contains(std::string(name))) found.emplace_back(name);
  }
  return found;
}

}  // namespace bench::system
