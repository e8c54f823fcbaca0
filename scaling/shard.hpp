// SPDX-License-Identifier: Apache-2.0
// A study cut over the tasks of a job array: shard i of n measures the cases whose number, the first 16 hex
// digits of the id, is i modulo n. It depends on nothing but the id, so every task of the array, also one
// that is started again, finds its own cases alone, and the shards together are the study.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scaling/case.hpp"

namespace bench::scaling {

struct Shard {
  std::int64_t index = 0;  // 0 .. count-1
  std::int64_t count = 1;
};

/// "2/16". A usage error unless 0 <= index < count <= 10^6.
Shard parse_shard(const std::string& text);

/// Whether a case of that id (at least 16 hex digits) is the shard's.
bool belongs_to(const Shard& shard, const std::string& case_id);

/// Leaves the shard's cases, in their order, whatever their outcome. May leave none.
void keep_shard(std::vector<Case>& cases, const Shard& shard);

}  // namespace bench::scaling
