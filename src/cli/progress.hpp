// SPDX-License-Identifier: Apache-2.0
// Progress on stderr while a plan runs: a bar with the time left on a terminal, one line a case otherwise. Only rank 0 has one.
#pragma once

#include <cstdio>
#include <string>

#include "analysis/record.hpp"
#include "jobs/clock.hpp"

namespace bench::cli {

class Progress {
 public:
  /// `terminal`: redraw one line; `quiet`: say nothing; `color`: ANSI colours.
  Progress(std::size_t total, bool terminal, bool quiet, bool color, jobs::Clock clock);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void started(const scaling::Case& c);
  void finished(const scaling::Case& c, const analysis::VisitRecord& record, std::size_t done);
  double seconds_left() const { return left_s_; }

 private:
  void draw(const std::string& now) const;

  std::size_t total_, done_ = 0;
  bool terminal_, quiet_, color_;
  jobs::Clock clock_;
  double start_s_, left_s_ = 0.0;
};

/// "attention/ring_cpu  ranks=2 seq=2048": the kernel and the parameters that people look for first.
std::string short_name(const scaling::Case& c);

}  // namespace bench::cli
