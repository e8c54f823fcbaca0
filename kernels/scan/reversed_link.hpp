// SPDX-License-Identifier: Apache-2.0
// The same ranks counted from the other end. A backward scan runs from the last step to the first, so its
// carries travel as a forward scan's do between ranks in reverse order: one exchange serves both.
#pragma once

#include "src/core/link.hpp"

namespace bench::scan {

/// Rank r of `link` is rank size() - 1 - r here. `link` must outlive it and counts the bytes.
class ReversedLink final : public Link {
 public:
  explicit ReversedLink(Link& link) : link_(link) {}
  int rank() const override { return mirrored(link_.rank()); }
  int size() const override { return link_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                 int from) override {
    return link_.post(out, mirrored(to), in, mirrored(from));
  }
  void progress() override { link_.progress(); }
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void barrier() override { link_.barrier(); }

 private:
  int mirrored(int rank) const { return link_.size() - 1 - rank; }
  Link& link_;
};

}  // namespace bench::scan
