// SPDX-License-Identifier: Apache-2.0
#include "jobs/device_rates.hpp"

#include <algorithm>
#include <array>

#include "analysis/sample_times.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "jobs/team.hpp"
#include "src/core/units.hpp"

template <>
bench::Registry<bench::jobs::DeviceMeter>& bench::Registry<bench::jobs::DeviceMeter>::instance() {
  static Registry registry;
  return registry;
}

namespace bench::jobs {
namespace {

constexpr int kSamples = 11;           // odd: their median is one of them
constexpr std::int64_t kTimesL2 = 4;   // what has gone by since leaves nothing behind

/// The place of a working set among kTriadBytes.
std::size_t level_of(std::int64_t bytes) {
  const auto after = std::ranges::upper_bound(analysis::kTriadBytes, bytes);
  return after == analysis::kTriadBytes.begin() ? 0 : static_cast<std::size_t>(after - analysis::kTriadBytes.begin()) - 1;
}

}  // namespace

std::string name_of(const DeviceRate& rate) {
  constexpr std::array kNames{"copy", "triad", "read", "bf16 matrix product", "fp16 matrix product", "fp32 matrix product", "ex2.approx"};
  const char* name = kNames[static_cast<std::size_t>(rate.kind)];
  return rate.bytes > 0 ? concat(name, ", ", format_bytes(rate.bytes)) : name;
}

const char* unit_of(RateKind kind) {
  if (kind == RateKind::exp) return "1/s";
  return kind == RateKind::copy || kind == RateKind::triad || kind == RateKind::read ? "byte/s" : "FLOP/s";
}

std::vector<std::int64_t> working_sets(std::int64_t l2_bytes) {
  std::vector<std::int64_t> sets(analysis::kTriadBytes.begin(), analysis::kTriadBytes.end());
  sets.back() = std::max(sets.back(), kTimesL2 * l2_bytes);
  return sets;
}

double median_rate(Timer& timer, double amount, const std::function<void()>& call) {
  std::vector<double> times_s;
  for (int i = 0; i < kSamples; ++i) {
    const Timed timed = timer.time(1, call, [] { return false; });
    if ((timed.flags & analysis::kSpinTimeout) == 0 && timed.call_s > 0.0) times_s.push_back(timed.call_s);
  }
  return times_s.empty() ? 0.0 : amount / analysis::median(analysis::sorted(times_s));
}

analysis::Limits limits_of(std::span<const DeviceRate> rates) {
  analysis::Limits limits;
  for (const DeviceRate& rate : rates) switch (rate.kind) {
      case RateKind::copy: break;  // for people: what a case does besides reading is two reads to a write
      case RateKind::triad: limits.triad_bytes_per_s[level_of(rate.bytes)] = rate.per_s; break;
      case RateKind::read: limits.read_bytes_per_s[level_of(rate.bytes)] = rate.per_s; break;
      case RateKind::bf16: limits.bf16_flops_per_s = rate.per_s; break;
      case RateKind::fp16: limits.fp16_flops_per_s = rate.per_s; break;
      case RateKind::fp32: limits.fp32_flops_per_s = rate.per_s; break;
      case RateKind::exp: limits.exps_per_s = rate.per_s; break;
    }
  return limits;
}

analysis::Limits measure_device_limits_of(Link& link, const Clock& clock, int local_rank) {
  const DeviceMeter* meter = Registry<DeviceMeter>::instance().find("cuda");
  link.barrier();
  analysis::Limits mine, sum;
  try {
    if (meter != nullptr) mine = limits_of(meter->rates(clock, local_rank));
  } catch (const std::exception&) {
    mine = {};  // no device, or one that does not work: the rows of its cases say so
  }
  for (const analysis::Limits& limits : all_of(link, mine)) sum = sum_of(sum, limits);
  return sum;
}

}  // namespace bench::jobs
