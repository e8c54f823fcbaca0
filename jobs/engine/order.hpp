// SPDX-License-Identifier: Apache-2.0
// What the coordinator and the ranks tell each other, as JSON text: an order names a visit or sends the rank home; a report is the visit's
// record, sent by the first rank of its block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/record.hpp"

namespace bench::jobs {

struct Order {
  bool leave = false;               // nothing more to do; the rest is empty then
  std::int64_t assignment = 0;      // the coordinator's number, given back with the report
  std::int64_t case_index = 0;      // in the plan, which every rank has
  std::int64_t visit = 0, attempt = 1;
  std::int64_t first_rank = 0, ranks = 1, block = 0;
  std::int64_t generation = 0;      // of the block's link
  std::string placement = "packed"; // label of the visit
  double limit_s = 0.0;             // when the visit counts as hung
  std::vector<std::string> neighbours = {};  // ids of the cases that were running beside it when it started
};

struct Report {
  std::int64_t assignment = 0;
  analysis::VisitRecord record;
};

std::string to_text(const Order& order);
Order parse_order(const std::string& text);
std::string to_text(const Report& report);
Report parse_report(const std::string& text);

}  // namespace bench::jobs
