// SPDX-License-Identifier: Apache-2.0
// What a distributed kernel sees of the world: a group of ranks that pass bytes. Kernels take a Link&; the back ends (self, threads,
// mpi, ...) live in src/comm. Every call is collective over the group unless it says otherwise, and every rank calls in the same order.
// A Link is used from one thread at a time. Errors of the transport surface as bench::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace bench {

/// One exchange in flight. wait() must be called before it is destroyed; the buffers stay untouched until then.
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void wait() = 0;
};

class Link {
 public:
  virtual ~Link() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Starts sending `out` to rank `to` and receiving `in` from rank `from`; the message lengths must match pairwise and may be zero.
  virtual std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) = 0;
  /// Gives the transport a chance to move data; cheap, never blocks. Called between tiles of compute.
  virtual void progress() = 0;
  /// All ranks' `mine` (equal lengths), in rank order, into `all` (size() times as long).
  virtual void allgather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  virtual void barrier() = 0;

  void sendrecv(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) { post(out, to, in, from)->wait(); }

  /// later <- earlier (+) later, where `earlier` belongs to lower ranks: associative, need not commute.
  using Combine = std::function<void(std::span<const std::byte> earlier, std::span<std::byte> later)>;

  /// Exclusive prefix over ranks: on return `record` holds the combination of all lower ranks' records, in order; rank 0 gets back
  /// `identity`. ceil(log2 P) + 1 messages a rank (Hillis & Steele 1986), each of record.size() bytes; only point-to-point calls, so every
  /// back end (a simulated one too) gives the same bits.
  void exscan(std::span<std::byte> record, std::span<const std::byte> identity, const Combine& combine);

  /// Bytes this rank has sent so far (payload, all calls), for the wire-traffic column.
  std::int64_t bytes_sent() const { return bytes_sent_; }

 protected:
  void count_sent(std::size_t bytes) { bytes_sent_ += static_cast<std::int64_t>(bytes); }

 private:
  std::int64_t bytes_sent_ = 0;
};

}  // namespace bench
