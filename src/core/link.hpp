// SPDX-License-Identifier: Apache-2.0
// What a distributed kernel sees of the world: a group of ranks that pass bytes. Kernels take a Link&; the back ends (self, threads,
// mpi, ...) live in src/comm. Every call is collective over the group unless it says otherwise, and every rank calls in the same order.
// A Link is used from one thread at a time. Errors of the transport surface as bench::Error.
//
// A wait may be given a deadline. What passes it, or finds the transport failed, throws and leaves the link broken: messages are lost or
// half done, so no later call can be trusted to match its peers'. Every later call throws at once; the owner drops the link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>

#include "src/core/error.hpp"

namespace bench {

/// One exchange in flight. wait() must be called before it is destroyed; the buffers stay untouched until then. (An exception that
/// unwinds may destroy it unwaited: that breaks the link.)
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
  /// Messages from one rank to another arrive in the order of their posts.
  virtual std::unique_ptr<Transfer> post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) = 0;
  /// Gives the transport a chance to move data; cheap, never blocks. Called between tiles of compute, also from inside parallel regions,
  /// so it never throws: an error that it meets breaks the link, and the next wait throws it.
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

  /// From now until clear_deadline(), a call or a Transfer of this link that would still wait `seconds_from_now` from now throws
  /// Error(timeout), which names the rank it waited for, and breaks the link. Not collective: each rank has its own. A second call
  /// replaces the deadline of the first. Calls that need not wait never throw for it.
  void set_deadline(double seconds_from_now);
  void clear_deadline();
  bool has_deadline() const { return deadline_s_ < kNever_s; }

  /// True once a deadline passed or the transport failed; every call then throws Error(comm) with the first reason.
  bool broken() const { return !broken_because_.empty(); }
  const std::string& broken_because() const { return broken_because_; }
  /// True when a broken link could not call back an exchange under way: the transport may still read or write the buffers that were
  /// handed to post(), so the process had better end (75, resumable) than use that memory for something else.
  bool memory_in_doubt() const { return memory_in_doubt_; }

 protected:
  static constexpr double kNever_s = std::numeric_limits<double>::infinity();

  void count_sent(std::size_t bytes) { bytes_sent_ += static_cast<std::int64_t>(bytes); }

  /// Seconds on a clock that never goes back. This room owns no clock: a link that can wait overrides it; another has no use for it.
  virtual double now_s() const { return 0.0; }
  /// A decorator passes its deadline on to the link it wraps; infinite when it was cleared.
  virtual void on_deadline(double /*seconds_from_now*/) {}
  /// Until the deadline; infinite without one, negative once it has passed.
  double seconds_left() const { return has_deadline() ? deadline_s_ - now_s() : kNever_s; }

  /// Runs `call` on a link that is whole; an Error of kind timeout or comm that comes out of it breaks the link.
  template <class Call>
  decltype(auto) guarded(Call&& call) {
    require_whole();
    try {
      return call();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::timeout || error.kind() == ErrorKind::comm) break_link(error.what());
      throw;
    }
  }
  void require_whole() const;
  /// The first reason stays.
  void break_link(const std::string& reason);
  void doubt_memory() { memory_in_doubt_ = true; }

  /// An allgather made of posts alone: ceil(log2 P) rounds for short pieces (Bruck et al. 1997), P-1 rounds of one piece for long ones;
  /// (P-1) pieces sent a rank either way. For back ends that have nothing better, or nothing that a deadline can interrupt.
  void allgather_by_posts(std::span<const std::byte> mine, std::span<std::byte> all);
  /// True inside of it. A back end marks those messages: a rank that left a kernel early and votes must not be taken for one that is
  /// still in it.
  bool gathering() const { return gathering_; }

 private:
  std::int64_t bytes_sent_ = 0;
  double deadline_s_ = kNever_s;  // on now_s()'s clock
  std::string broken_because_;
  bool memory_in_doubt_ = false;
  bool gathering_ = false;
};

/// A deadline for as long as this lives.
class DeadlineGuard {
 public:
  DeadlineGuard(Link& link, double seconds_from_now) : link_(link) { link.set_deadline(seconds_from_now); }
  ~DeadlineGuard() { link_.clear_deadline(); }
  DeadlineGuard(const DeadlineGuard&) = delete;
  DeadlineGuard& operator=(const DeadlineGuard&) = delete;

 private:
  Link& link_;
};

}  // namespace bench
