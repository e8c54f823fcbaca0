// SPDX-License-Identifier: Apache-2.0
// bench_micro: the command line is Google Benchmark's own (--benchmark_filter=..., --benchmark_out=FILE,
// --help). Exit codes as of bench_scale: 0 all well, 2 an unknown flag, 3 some kernel failed or was wrong.
#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "jobs/micro/micro.hpp"
#include "src/system/provenance.hpp"

namespace {

/// LibTorch's kernels register themselves when the plug-in beside the program is loaded. Returns "loaded" or
/// why they are missing.
std::string load_torch_kernels() {
  const char* wanted = std::getenv("BENCH_SCALE_TORCH");
  if (wanted != nullptr && std::string(wanted) == "off") return "switched off by BENCH_SCALE_TORCH=off";
  std::error_code code;
  const auto plugin =
      std::filesystem::read_symlink("/proc/self/exe", code).parent_path() / "libbench_torch.so";
  if (code || !std::filesystem::exists(plugin, code)) return "this build has no LibTorch plug-in";
  if (dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return "loaded";
  const char* why = dlerror();
  return why != nullptr ? why : "could not be loaded";
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("bench_scale", bench::system::version_text());
  benchmark::AddCustomContext("libtorch_kernels", load_torch_kernels());
  const auto tally = std::make_shared<bench::jobs::micro::Tally>();
  bench::jobs::micro::register_kernels(tally);
  bench::jobs::micro::register_hot_paths();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return tally->failed > 0 ? 3 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bench_micro: " << error.what() << '\n';
    return 3;
  }
}
