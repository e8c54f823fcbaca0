// SPDX-License-Identifier: Apache-2.0
// A group of one: a post to itself copies at once, so a distributed kernel runs unchanged on a single rank
// without threads or MPI.
#pragma once

#include <memory>

#include "src/core/link.hpp"

namespace bench::comm {

/// Rank 0 of 1. post() throws Error(internal) when a peer is not 0 or the two lengths differ. Nothing reaches
/// a wire, so bytes_sent() stays 0. `out` and `in` may overlap.
class LinkSelf final : public Link {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override;
  void progress() override {}
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void barrier() override {}
};

}  // namespace bench::comm
