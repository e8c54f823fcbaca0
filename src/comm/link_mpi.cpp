// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_mpi.hpp"

#include <algorithm>

#include "src/comm/mpi_check.hpp"

namespace bench::comm {
namespace {

constexpr int kTag = 0;
constexpr std::size_t kPartBytes = std::size_t{1} << 30;  // MPI counts are int

// Calls f(offset, count) for each part of a message; once, with a count of 0, for an empty one.
template <class F>
void for_each_part(std::size_t bytes, F&& f) {
  std::size_t at = 0;
  do {
    const std::size_t part = std::min(kPartBytes, bytes - at);
    f(at, static_cast<int>(part));
    at += part;
  } while (at < bytes);
}

CommError wrong_length(std::size_t buffer, std::size_t message) {
  const auto text = concat("link: a buffer of ", buffer, " bytes for a message of ", message);
  return CommError(text, MPI_SUCCESS, "length of a message", __FILE__, __LINE__);
}

}  // namespace

class MpiTransfer final : public Transfer {
 public:
  MpiTransfer(LinkMpi& link, std::span<const std::byte> out, int to, std::span<std::byte> in, int from)
      : link_(link), in_(in) {
    MPI_Comm comm = link.group_.get();
    link_.in_flight_.push_back(this);
    try {
      for_each_part(in.size(), [&](std::size_t at, int count) {
        BS_MPI(MPI_Irecv(in.data() + at, count, MPI_BYTE, from, kTag, comm,
                         &requests_.emplace_back(MPI_REQUEST_NULL)));
      });
      receives_ = requests_.size();
      for_each_part(out.size(), [&](std::size_t at, int count) {
        BS_MPI(MPI_Isend(out.data() + at, count, MPI_BYTE, to, kTag, comm,
                         &requests_.emplace_back(MPI_REQUEST_NULL)));
      });
    } catch (...) {
      abandon();
      throw;
    }
    statuses_.resize(requests_.size());
  }

  ~MpiTransfer() override { abandon(); }

  void wait() override {
    if (done_) return;
    complete(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), statuses_.data()));
  }

  void test() {
    if (done_) return;
    int all_done = 0;
    const int code =
        MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &all_done, statuses_.data());
    if (all_done || code != MPI_SUCCESS) complete(code);
  }

 private:
  void complete(int code) {
    // The reason of a failed part is in its status.
    for (std::size_t i = 0; code == MPI_ERR_IN_STATUS && i < statuses_.size(); ++i) {
      const int part = statuses_[i].MPI_ERROR;
      if (part != MPI_ERR_PENDING) check_mpi(part, i < receives_ ? "receive" : "send", __FILE__, __LINE__);
    }
    BS_MPI(code);
    done_ = true;
    std::size_t received = 0;
    for (std::size_t i = 0; i < receives_; ++i) {
      int count = 0;
      BS_MPI(MPI_Get_count(&statuses_[i], MPI_BYTE, &count));
      received += static_cast<std::size_t>(count);
    }
    if (received == in_.size()) return;
    throw wrong_length(in_.size(), received);
  }

  // Only an unwinding exception gets here with requests open: MPI must not write into `in` any more.
  void abandon() noexcept {
    std::erase(link_.in_flight_, this);
    if (done_) return;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      if (i < receives_) MPI_Cancel(&requests_[i]);
      MPI_Request_free(&requests_[i]);
    }
  }

  LinkMpi& link_;
  std::span<std::byte> in_;
  std::vector<MPI_Request> requests_;  // receives first
  std::vector<MPI_Status> statuses_;
  std::size_t receives_ = 0;
  bool done_ = false;
};

LinkMpi::LinkMpi(const Communicator& group) : group_(Communicator::duplicate(group.get())) {}
LinkMpi::~LinkMpi() = default;

std::unique_ptr<Transfer> LinkMpi::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                        int from) {
  BS_REQUIRE(to >= 0 && to < size() && from >= 0 && from < size(), "link: no rank ", to, " or ", from,
             " in a group of ", size());
  // Open MPI 5 does not report truncation of a message to oneself.
  if (to == rank() && from == rank() && out.size() != in.size()) throw wrong_length(in.size(), out.size());
  auto transfer = std::make_unique<MpiTransfer>(*this, out, to, in, from);
  if (to != rank()) count_sent(out.size());
  return transfer;
}

void LinkMpi::progress() {
  for (MpiTransfer* transfer : in_flight_) transfer->test();
}

void LinkMpi::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const std::size_t each = mine.size();
  const auto ranks = static_cast<std::size_t>(size());
  BS_REQUIRE(all.size() == each * ranks, "allgather: ", all.size(), " bytes of room for ", ranks, " x ",
             each);
  if (each <= kPartBytes) {
    const int count = static_cast<int>(each);
    BS_MPI(MPI_Allgather(mine.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, group_.get()));
    count_sent(each * (ranks - 1));
    return;
  }
  for (int distance = 0; distance < size(); ++distance) {
    const int from = (rank() - distance + size()) % size();
    sendrecv(mine, (rank() + distance) % size(), all.subspan(static_cast<std::size_t>(from) * each, each),
             from);
  }
}

void LinkMpi::barrier() {
  BS_MPI(MPI_Barrier(group_.get()));
}

}  // namespace bench::comm
