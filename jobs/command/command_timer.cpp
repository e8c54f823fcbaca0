// SPDX-License-Identifier: Apache-2.0
// Times calls that another program makes: they are queued here, as on a device's stream, and the program is asked to make all of them and to say how long
// they took, by CUDA events around them on a device, by its own clock on a host. So neither this process nor the way between the two is in a time.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "analysis/sample_times.hpp"
#include "jobs/command/permission.hpp"
#include "jobs/command/process.hpp"
#include "jobs/timing/preflight.hpp"
#include "jobs/timing/timer.hpp"
#include "kernels/command.hpp"

namespace bench::jobs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kMostCalls = 64;        // of some ten launches each a device's queue takes no more
constexpr double kEventResolution_s = 0.5e-6;  // CUDA's documentation of cudaEventElapsedTime
bool g_allowed = false;

/// A tensor as a file of its elements, row-major, and what to know of it.
json described(const std::string& name, const Tensor& tensor, const fs::path& folder) {
  return {{"name", name}, {"dtype", to_text(tensor.dtype())}, {"shape", tensor.shape()}, {"path", (folder / (name + ".bin")).string()}};
}
void write_file(const Tensor& tensor, const fs::path& path) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(tensor.data()), tensor.bytes());
  if (!file.flush()) throw Error(ErrorKind::io, concat("cannot write ", path.string()));
}
void read_file(Tensor& tensor, const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || file.tellg() != tensor.bytes())
    throw Error(ErrorKind::internal, concat("the program that runs it left no output of ", tensor.bytes(), " bytes: ", path.string()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(tensor.data()), tensor.bytes());
}

/// Where the adapters are: BENCH_SCALE_ADAPTERS, else beside the installed program, else in the source tree it was built from.
std::string adapters_dir() {
  if (const char* given = std::getenv("BENCH_SCALE_ADAPTERS")) return given;
  std::error_code code;
  const fs::path installed = fs::read_symlink("/proc/self/exe", code).parent_path().parent_path() / "share/bench_scale/adapters";
  if (!code && fs::is_directory(installed, code)) return installed.string();
  return BENCH_SCALE_SOURCE_ADAPTERS;
}

/// The interpreter that adapters are run by.
std::string adapters_python() {
  const char* given = std::getenv("BENCH_SCALE_PYTHON");
  return given != nullptr && *given != '\0' ? given : "python3";
}

class CommandTimer final : public Timer, public CommandQueue {
 public:
  CommandTimer(Clock clock, int local_rank) : clock_(std::move(clock)), local_rank_(local_rank) {}

  void start(const CommandCall& call, Tensors& tensors, double seconds) override {
    if (!commands_allowed()) throw Error(ErrorKind::unavailable, kNotAllowed);
    call_ = call;
    scratch_.emplace();
    const fs::path adapter = fs::path(adapters_dir()) / "serve.py";
    if (!fs::exists(adapter)) throw Error(ErrorKind::unavailable, concat("no adapters: ", adapter.string(), " is not there"));
    json inputs = json::array(), outputs = json::array(), settings = json::object();
    for (const std::string& name : call.inputs) {
      inputs.push_back(described(name, tensors[name], scratch_->path()));
      write_file(tensors[name], scratch_->path() / (name + ".bin"));
    }
    for (const std::string& name : call.outputs) outputs.push_back(described(name, tensors[name], scratch_->path()));
    for (const auto& [name, value] : call.settings) settings[name] = std::isfinite(value) ? json(value) : json(value > 0 ? "inf" : "-inf");
    process_.emplace(std::vector<std::string>{adapters_python(), adapter.string()}, scratch_->path() / "log", clock_, seconds);
    const json answer = process_->ask(
        {{"do", "prepare"}, {"form", call.adapter}, {"settings", settings}, {"inputs", inputs}, {"outputs", outputs}, {"local_rank", local_rank_}});
    floor_s_ = answer.at("floor_s").get<double>();
    on_device_ = answer.at("on_device").get<bool>();
    queued_ = 0;
  }
  void put() override { ++queued_; }
  void collect(Tensors& tensors) override {
    process_->ask({{"do", "collect"}});
    for (const std::string& name : call_.outputs) read_file(tensors[name], scratch_->path() / (name + ".bin"));
  }
  void stop() noexcept override {
    process_.reset();
    scratch_.reset();
  }

  Timed time(std::int64_t calls, const std::function<void()>& run, const std::function<bool()>& gate) override {
    queued_ = 0;
    for (std::int64_t call = 0; call < calls; ++call) run();
    const bool late = gate();
    const double begin = clock_();
    const json answer = work_off(false);
    std::int64_t flags = late ? std::int64_t{analysis::kLate} : 0;
    if (!answer.at("held").get<bool>()) flags |= analysis::kSpinTimeout;
    Timed timed{.begin_s = begin, .call_s = answer.at("seconds").get<double>() / static_cast<double>(calls), .flags = flags};
    if (on_device_) timed.enqueue_s = answer.at("enqueue_s").get<double>() / static_cast<double>(calls);
    return timed;
  }
  void wait() override { work_off(true); }

  std::string_view evict(std::span<const std::span<const std::byte>>) override { return "none: another program's memory"; }
  double floor_s() const override { return floor_s_; }
  double shortest_sample_s() const override { return std::max(on_device_ ? 100.0 * kEventResolution_s : 0.0, kFloorsToTrust * floor_s_); }
  std::int64_t most_calls() const override { return kMostCalls; }
  void* stream() override { return static_cast<CommandQueue*>(this); }

 private:
  /// `checked`: from the inputs as they were given, where a call changes them (a state that is updated in place).
  json work_off(bool checked) {
    const std::int64_t calls = queued_;
    queued_ = 0;
    if (!process_ || calls == 0) return {};
    return process_->ask({{"do", checked ? "run" : "time"}, {"calls", calls}});
  }

  Clock clock_;
  int local_rank_;
  CommandCall call_;
  std::optional<Scratch> scratch_;  // outlives the process
  std::optional<Process> process_;
  std::int64_t queued_ = 0;
  double floor_s_ = 0.0;
  bool on_device_ = false;
};

std::unique_ptr<Timer> make_command_timer(const Clock& clock, std::int64_t, int local_rank) { return std::make_unique<CommandTimer>(clock, local_rank); }

const Registrar<TimerMaker> registrar{{.name = "command", .make = make_command_timer}};

}  // namespace

void allow_commands(bool allowed) { g_allowed = allowed; }
bool commands_allowed() { return g_allowed; }

}  // namespace bench::jobs
