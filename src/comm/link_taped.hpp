// SPDX-License-Identifier: Apache-2.0
// Links that pass everything on and keep a tape of it, by which the exchange of a call can be timed without the call.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "src/comm/device_link_around.hpp"
#include "src/comm/tape.hpp"
#include "src/core/link.hpp"

namespace bench::comm {

/// Memory of its own stands in for what a call sent and received, as that may lie in the call's own frame: as much of it, the same for the same bytes.
class StandIns {
 public:
  std::span<std::byte> of(std::span<const std::byte> bytes) {
    auto& twin = twins_[{bytes.data(), bytes.size()}];
    twin.resize(bytes.size());
    return twin;
  }

 private:
  std::map<std::pair<const std::byte*, std::size_t>, std::vector<std::byte>> twins_;  // nodes stay where they are
};

class TapedLink final : public Link {
 public:
  /// `inner` must outlive this.
  explicit TapedLink(Link& inner) : inner_(inner) {}
  void play() { tape_.play(); }

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) override;
  void progress() override { inner_.progress(); }
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void transport_allgather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void barrier() override;
  void allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) override;
  void reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) override;
  void alltoall(std::span<const std::byte> out, std::span<std::byte> in) override;

 private:
  Link& inner_;
  StandIns memory_;
  Tape tape_;
};

/// What travels lies in message memory, which the kernel has for as long as it is prepared: the tape sends and receives there.
class TapedDeviceLink final : public DeviceLinkAround {
 public:
  using DeviceLinkAround::DeviceLinkAround;
  void play() { tape_.play(); }

  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) override {
    return taped([this, out, to, in, from] { return inner_.post(out, to, in, from); });
  }
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override { inner_.allgather(mine, all); }  // not for run, as barrier()
  void barrier() override { inner_.barrier(); }
  std::unique_ptr<Transfer> post_allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    return taped([this, mine, all] { return inner_.post_allgather(mine, all); });
  }
  std::unique_ptr<Transfer> post_allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) override {
    return taped([this, dtype, mine, sum] { return inner_.post_allreduce(dtype, mine, sum); });
  }
  std::unique_ptr<Transfer> post_reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) override {
    return taped([this, dtype, mine, share] { return inner_.post_reduce_scatter(dtype, mine, share); });
  }
  std::unique_ptr<Transfer> post_alltoall(std::span<const std::byte> out, std::span<std::byte> in) override {
    return taped([this, out, in] { return inner_.post_alltoall(out, in); });
  }

 private:
  std::unique_ptr<Transfer> taped(Tape::Post post) {
    auto now = post();
    return tape_.note_post(std::move(now), std::move(post));
  }
  Tape tape_;
};

}  // namespace bench::comm
