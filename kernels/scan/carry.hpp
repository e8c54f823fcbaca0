// SPDX-License-Identifier: Apache-2.0
// Moving carries between ranks: what the scans across ranks need of a Link beyond Link::exscan.
#pragma once

#include <cstddef>
#include <span>

#include "src/core/link.hpp"

namespace bench::scan {

/// Copies `bytes` of the highest rank to all ranks, in ceil(log2 P) rounds; each rank sends at most that many
/// times, most of them once or never. Point to point only, so every back end gives the same bits.
void broadcast_from_last(Link& link, std::span<std::byte> bytes);

}  // namespace bench::scan
