// SPDX-License-Identifier: Apache-2.0
#include "src/core/link.hpp"

#include <algorithm>
#include <vector>

#include "src/core/by_posts.hpp"

namespace bench {
namespace {

struct Gathering {
  explicit Gathering(bool& flag) : flag_(flag) { flag_ = true; }
  ~Gathering() { flag_ = false; }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;
  bool& flag_;
};

}  // namespace

void Link::exscan(std::span<std::byte> record, std::span<const std::byte> identity, const Combine& combine) {
  const int p = size();
  const int me = rank();
  std::vector<std::byte> inclusive(record.begin(), record.end());
  std::vector<std::byte> arrived(record.size());
  const std::span<const std::byte> nothing_out;
  const std::span<std::byte> nothing_in;
  // After the round of distance d, `inclusive` covers ranks me-2d+1 .. me.
  for (int distance = 1; distance < p; distance *= 2) {
    const bool sends = me + distance < p;
    const bool receives = me - distance >= 0;
    const auto out = sends ? std::span<const std::byte>(inclusive) : nothing_out;
    const auto in = receives ? std::span<std::byte>(arrived) : nothing_in;
    // Ranks without a partner exchange zero bytes round the ring, so that every post has a matching one.
    sendrecv(out, (me + distance) % p, in, (me - distance + p) % p);
    if (receives) combine(arrived, inclusive);
  }
  // Shift by one: the exclusive value of rank r is the inclusive value of rank r-1.
  const auto in = me > 0 ? std::span<std::byte>(record) : nothing_in;
  const auto out = me + 1 < p ? std::span<const std::byte>(inclusive) : nothing_out;
  sendrecv(out, (me + 1) % p, in, (me - 1 + p) % p);
  if (me == 0) std::copy(identity.begin(), identity.end(), record.begin());
}

void Link::allgather_by_posts(std::span<const std::byte> mine, std::span<std::byte> all) {
  require_whole();
  const Gathering as_a_gather(gathering_);
  by_posts::allgather(*this, mine, all);
}

void Link::allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) {
  require_whole();
  by_posts::allreduce(*this, dtype, mine, sum);
}

void Link::reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) {
  require_whole();
  by_posts::reduce_scatter(*this, dtype, mine, share);
}

void Link::alltoall(std::span<const std::byte> out, std::span<std::byte> in) {
  require_whole();
  by_posts::alltoall(*this, out, in);
}

void Link::set_deadline(double seconds_from_now) {
  deadline_s_ = now_s() + seconds_from_now;
  on_deadline(seconds_from_now);
}

void Link::clear_deadline() {
  deadline_s_ = kNever_s;
  on_deadline(kNever_s);
}

void Link::require_whole() const {
  if (broken()) throw Error(ErrorKind::comm, concat("this link is broken since: ", broken_because_));
}

void Link::break_link(const std::string& reason) {
  if (!broken()) broken_because_ = reason.empty() ? "it failed" : reason;
}

}  // namespace bench
