// SPDX-License-Identifier: Apache-2.0
// A DeviceLink for no device: the host's memory is the device's, and any other Link moves the bytes. What a real one leaves open is decided on purpose: an
// exchange lands as early as it may, during its post, so that what is still to be read there is lost; or as late as it may, when something is held up for
// it, so that what was changed since, or read too soon, is wrong. A transfer that goes without anybody having waited for it breaks the link, as with NCCL.
#pragma once

#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "src/core/link.hpp"

namespace bench::support {

enum class Lands { early, late, mixed };

class HostDeviceLink final : public DeviceLink {
 public:
  HostDeviceLink(Link& inner, Lands lands) : inner_(inner), lands_(lands) {}
  ~HostDeviceLink() override {
    if (!broken()) land(nullptr);  // as a stream that is emptied
  }
  HostDeviceLink(const HostDeviceLink&) = delete;
  HostDeviceLink& operator=(const HostDeviceLink&) = delete;

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) override {
    require_whole();
    if (to != rank()) count_sent(out.size());
    under_way_.push_back(std::make_shared<Flight>(Flight{out, to, in, from}));
    auto transfer = std::make_unique<Pending>(*this, under_way_.back());
    const bool early = lands_ == Lands::early || (lands_ == Lands::mixed && (posts_++ + rank()) % 2 == 0);
    if (early) land(under_way_.back().get());
    return transfer;
  }
  void progress() override {}
  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    land(nullptr);
    inner_.allgather(mine, all);
  }
  void barrier() override {
    land(nullptr);
    inner_.barrier();
  }
  // At once: who reads a collective's result before it is there, these do not find.
  std::unique_ptr<Transfer> post_allgather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    return at_once([&] { inner_.allgather(mine, all); });
  }
  std::unique_ptr<Transfer> post_allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) override {
    return at_once([&] { inner_.allreduce(dtype, mine, sum); });
  }
  std::unique_ptr<Transfer> post_reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) override {
    return at_once([&] { inner_.reduce_scatter(dtype, mine, share); });
  }
  std::unique_ptr<Transfer> post_alltoall(std::span<const std::byte> out, std::span<std::byte> in) override {
    return at_once([&] { inner_.alltoall(out, in); });
  }
  void follow(void*) override {}
  void watch() override { require_whole(); }
  void give_up(const std::string& reason) override { break_link(reason); }
  std::unique_ptr<MessageMemory> message_memory(std::int64_t bytes) override { return std::make_unique<Memory>(bytes); }
  bool functional_only() const override { return true; }
  int version() const override { return 0; }

 private:
  struct Flight {
    std::span<const std::byte> out;
    int to;
    std::span<std::byte> in;
    int from;
    bool landed = false;
  };
  class Pending final : public Transfer {
   public:
    Pending(HostDeviceLink& link, std::shared_ptr<Flight> flight) : link_(link), flight_(std::move(flight)) {}
    ~Pending() override {
      if (!waited_) link_.break_link("an exchange that nobody waited for");
    }
    void wait() override {
      link_.require_whole();
      link_.land(flight_.get());
      waited_ = true;
    }

   private:
    HostDeviceLink& link_;
    std::shared_ptr<Flight> flight_;
    bool waited_ = false;
  };
  /// What was never written is no number in any of the types that travel.
  class Memory final : public MessageMemory {
   public:
    explicit Memory(std::int64_t bytes) : words_(static_cast<std::size_t>(bytes / 16 + 1)) { std::memset(words_.data(), 0xFF, words_.size() * sizeof(Word)); }
    std::byte* data() const override { return const_cast<std::byte*>(words_.data()->bytes); }

   private:
    struct alignas(16) Word {
      std::byte bytes[16];
    };
    std::vector<Word> words_;
  };

  template <class Call>
  std::unique_ptr<Transfer> at_once(Call&& call) {
    require_whole();
    land(nullptr);
    call();
    return std::make_unique<Pending>(*this, std::make_shared<Flight>(Flight{{}, rank(), {}, rank(), true}));
  }

  /// Exchanges in the order of their posts until `last` has landed; all without one.
  void land(const Flight* last) {
    while (!under_way_.empty() && (last == nullptr || !last->landed)) {
      const std::shared_ptr<Flight> flight = under_way_.front();
      under_way_.pop_front();
      inner_.sendrecv(flight->out, flight->to, flight->in, flight->from);
      flight->landed = true;
    }
  }

  Link& inner_;
  Lands lands_;
  int posts_ = 0;
  std::deque<std::shared_ptr<Flight>> under_way_;
};

}  // namespace bench::support
