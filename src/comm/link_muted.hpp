// SPDX-License-Identifier: Apache-2.0
// Links that say nothing: a kernel that is given one does all of its own work and waits for nobody, which is how long it computes. What it would receive is
// what already lies there. Only who runs a call again, after one over the real link, has a use for that.
#pragma once

#include <algorithm>
#include <memory>

#include "src/comm/device_link_around.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

/// An exchange that was over before it began.
struct NoTransfer final : Transfer {
  void wait() override {}
  void hold_up(void* /*stream*/) override {}
};

class MutedLink final : public Link {
 public:
  /// As many ranks as `inner` has, which must outlive this.
  explicit MutedLink(const Link& inner) : inner_(inner) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte>, int, std::span<std::byte>, int) override { return std::make_unique<NoTransfer>(); }
  void progress() override {}
  void barrier() override {}
  // A rank's own part it copies, as it does over a real link.
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override { std::ranges::copy(mine, piece(all).begin()); }
  void allreduce(DType, std::span<const std::byte> mine, std::span<std::byte> sum) override { std::ranges::copy(mine, sum.begin()); }
  void reduce_scatter(DType, std::span<const std::byte> mine, std::span<std::byte> share) override { std::ranges::copy(piece(mine), share.begin()); }
  void alltoall(std::span<const std::byte> out, std::span<std::byte> in) override { std::ranges::copy(piece(out), piece(in).begin()); }

 private:
  template <class Byte>
  std::span<Byte> piece(std::span<Byte> all) const {
    const std::size_t bytes = all.size() / static_cast<std::size_t>(size());
    return all.subspan(static_cast<std::size_t>(rank()) * bytes, bytes);
  }
  const Link& inner_;
};

class MutedDeviceLink final : public DeviceLinkAround {
 public:
  using DeviceLinkAround::DeviceLinkAround;
  std::unique_ptr<Transfer> post(std::span<const std::byte>, int, std::span<std::byte>, int) override { return nothing(); }
  void allgather(std::span<const std::byte>, std::span<std::byte>) override {}
  void barrier() override {}
  std::unique_ptr<Transfer> post_allgather(std::span<const std::byte>, std::span<std::byte>) override { return nothing(); }
  std::unique_ptr<Transfer> post_allreduce(DType, std::span<const std::byte>, std::span<std::byte>) override { return nothing(); }
  std::unique_ptr<Transfer> post_reduce_scatter(DType, std::span<const std::byte>, std::span<std::byte>) override { return nothing(); }
  std::unique_ptr<Transfer> post_alltoall(std::span<const std::byte>, std::span<std::byte>) override { return nothing(); }

 private:
  static std::unique_ptr<Transfer> nothing() { return std::make_unique<NoTransfer>(); }
};

}  // namespace bench::comm
