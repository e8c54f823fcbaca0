// SPDX-License-Identifier: Apache-2.0
#include "src/cli/progress.hpp"

#include <algorithm>

#include "src/core/units.hpp"

namespace bench::cli {
namespace {

constexpr std::size_t kBarWidth = 24;

double median_of_slowest(const analysis::VisitRecord& record) {
  const auto ranks = static_cast<std::size_t>(std::max<std::int64_t>(1, record.ranks));
  std::vector<double> slowest;
  for (std::size_t i = 0; i + ranks <= record.rank_time_s.size(); i += ranks)
    slowest.push_back(*std::max_element(record.rank_time_s.begin() + static_cast<std::ptrdiff_t>(i),
                                        record.rank_time_s.begin() + static_cast<std::ptrdiff_t>(i + ranks)));
  if (slowest.empty()) return 0.0;
  const auto middle = slowest.begin() + static_cast<std::ptrdiff_t>(slowest.size() / 2);
  std::nth_element(slowest.begin(), middle, slowest.end());
  return *middle;
}

}  // namespace

std::string short_name(const scaling::Case& c) {
  std::string text = c.kernel;
  for (const char* key : {"ranks", "replicas", "batch", "seq", "heads", "head_dim", "channels", "causal", "dtype", "layout", "cache", "graph", "link", "part"}) {
    const auto it = c.params.find(key);
    if (it == c.params.end()) continue;
    const bool is_default_rank = std::string(key) == "ranks" && c.ranks == 1;
    const bool is_idle_layout = std::string(key) == "layout" && c.ranks == 1;
    if (!is_default_rank && !is_idle_layout) text += concat(' ', key, '=', to_text(it->second));
  }
  return text;
}

Progress::Progress(std::size_t total, bool terminal, bool quiet, bool color, jobs::Clock clock)
    : total_(total), terminal_(terminal), quiet_(quiet), color_(color), clock_(std::move(clock)), start_s_(clock_()) {}

Progress::~Progress() {
  if (terminal_ && !quiet_) std::fputs("\r\033[K", stderr);
}

void Progress::draw(const std::string& now) const {
  const std::size_t filled = total_ == 0 ? kBarWidth : kBarWidth * done_ / total_;
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  const std::string left = done_ == 0 ? "?" : format_duration(left_s_);
  std::fprintf(stderr, "\r\033[K%s[%s]%s %zu/%zu  %s left  %.60s", color_ ? "\033[36m" : "", bar.c_str(), color_ ? "\033[0m" : "", done_,
               total_, left.c_str(), now.c_str());
  std::fflush(stderr);
}

void Progress::started(const scaling::Case& c) {
  if (terminal_ && !quiet_) draw(short_name(c));
}

void Progress::finished(const scaling::Case& c, const analysis::VisitRecord& record, std::size_t done) {
  done_ = done;
  left_s_ = (clock_() - start_s_) / static_cast<double>(done) * static_cast<double>(total_ - done);
  if (quiet_) return;
  const bool ok = record.outcome == Outcome::ok;
  if (terminal_ && ok) return draw(short_name(c));
  if (terminal_) std::fputs("\r\033[K", stderr);
  const std::string result = ok && record.functional_only ? std::string("right; not timed: ranks share a device")
                             : ok ? concat(format_time(median_of_slowest(record)), "  n=", record.rank_time_s.size() / static_cast<std::size_t>(record.ranks), "  ", record.stop_reason)
                                : concat(to_text(record.outcome), ": ", record.reason);
  std::fprintf(stderr, "[%zu/%zu, %s left] %s  %s%s%s\n", done_, total_, format_duration(left_s_).c_str(), short_name(c).c_str(),
               color_ && !ok ? "\033[31m" : "", result.c_str(), color_ && !ok ? "\033[0m" : "");
}

}  // namespace bench::cli
