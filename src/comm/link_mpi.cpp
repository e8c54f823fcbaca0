// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_mpi.hpp"

#include <algorithm>

#include "src/comm/link_wait.hpp"
#include "src/comm/mpi_check.hpp"

namespace bench::comm {
namespace {

// Votes and exchanges do not match each other: a rank that left a kernel early and votes would else answer
// one that is still in it.
constexpr int kTag = 0, kGatherTag = 1;
constexpr std::size_t kPartBytes = std::size_t{1} << 30;  // MPI counts are int
// What an exchange that was given up gets to end after its receives were called back: those that no message
// has met yet end at once, one that is being written ends in the time of its copy.
constexpr double kCallBack_s = 0.1;

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
      : link_(link), in_(in), out_bytes_(out.size()), to_(to), from_(from) {
    MPI_Comm comm = link.group_.get();
    const int tag = link.gathering() ? kGatherTag : kTag;
    link_.in_flight_.push_back(this);
    try {
      for_each_part(in.size(), [&](std::size_t at, int count) {
        BS_MPI(MPI_Irecv(in.data() + at, count, MPI_BYTE, from, tag, comm,
                         &requests_.emplace_back(MPI_REQUEST_NULL)));
      });
      receives_ = requests_.size();
      for_each_part(out.size(), [&](std::size_t at, int count) {
        BS_MPI(MPI_Isend(out.data() + at, count, MPI_BYTE, to, tag, comm,
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
    if (done_) return link_.require_whole();  // progress() may have met its error
    link_.guarded([&] {
      if (link_.has_deadline())
        poll_until(
            link_.seconds_left(), [&] { return test(); }, [&] { return missing(); });
      else
        complete(MPI_Waitall(count(), requests_.data(), statuses_.data()));
    });
  }

  /// True when it is over.
  bool test() {
    if (done_) return true;
    int all_done = 0;
    const int code = MPI_Testall(count(), requests_.data(), &all_done, statuses_.data());
    if (all_done || code != MPI_SUCCESS) complete(code);
    return done_;
  }

 private:
  int count() const { return static_cast<int>(requests_.size()); }

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
      int bytes = 0;
      BS_MPI(MPI_Get_count(&statuses_[i], MPI_BYTE, &bytes));
      received += static_cast<std::size_t>(bytes);
    }
    if (received == in_.size()) return;
    throw wrong_length(in_.size(), received);
  }

  std::string missing() const {
    for (std::size_t i = 0; i < receives_; ++i) {
      int over = 0;
      MPI_Request_get_status(requests_[i], &over, MPI_STATUS_IGNORE);
      if (!over) return rank_to_send(from_, in_.size());
    }
    return rank_to_take(to_, out_bytes_);
  }

  // Only an unwinding exception gets here with requests open. MPI must not write into `in` any more; what it
  // does not give up in time stays with it for ever, and the link says so.
  void abandon() noexcept {
    std::erase(link_.in_flight_, this);
    if (done_ || requests_.empty()) return;
    link_.break_link("an exchange was given up unfinished");
    for (std::size_t i = 0; i < receives_; ++i) {
      if (requests_[i] != MPI_REQUEST_NULL) MPI_Cancel(&requests_[i]);
    }
    const LinkWait patience(kCallBack_s);
    while (!patience.expired()) {
      int all_done = 0;
      MPI_Testall(count(), requests_.data(), &all_done, MPI_STATUSES_IGNORE);
      if (all_done) return;
    }
    for (MPI_Request& request : requests_) {
      if (request == MPI_REQUEST_NULL) continue;
      link_.doubt_memory();
      MPI_Request_free(&request);
    }
  }

  LinkMpi& link_;
  std::span<std::byte> in_;
  std::size_t out_bytes_;
  int to_, from_;
  std::vector<MPI_Request> requests_;  // receives first
  std::vector<MPI_Status> statuses_;
  std::size_t receives_ = 0;
  bool done_ = false;
};

LinkMpi::LinkMpi(const Communicator& group) : group_(Communicator::duplicate(group.get())) {}

LinkMpi::~LinkMpi() {
  if (broken()) group_.forget();
}

double LinkMpi::now_s() const {
  return steady_now_s();
}

std::unique_ptr<Transfer> LinkMpi::post(std::span<const std::byte> out, int to, std::span<std::byte> in,
                                        int from) {
  BS_REQUIRE(to >= 0 && to < size() && from >= 0 && from < size(), "link: no rank ", to, " or ", from,
             " in a group of ", size());
  return guarded([&] {
    // Open MPI 5 does not report truncation of a message to oneself.
    if (to == rank() && from == rank() && out.size() != in.size()) throw wrong_length(in.size(), out.size());
    auto transfer = std::make_unique<MpiTransfer>(*this, out, to, in, from);
    if (to != rank()) count_sent(out.size());
    return transfer;
  });
}

void LinkMpi::progress() {
  if (in_flight_.empty() || broken()) return;
  // Called from inside parallel regions, which an exception must not leave: the wait that follows throws it.
  try {
    for (MpiTransfer* transfer : in_flight_) transfer->test();
  } catch (const Error& error) {
    break_link(error.what());
  }
}

// Under a deadline MPI's own allgather is of no use: neither form of it can be called back, and a nonblocking
// one that was given up might write into `all` when the late peer comes.
void LinkMpi::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const std::size_t each = mine.size();
  const auto ranks = static_cast<std::size_t>(size());
  BS_REQUIRE(all.size() == each * ranks, "allgather: ", all.size(), " bytes of room for ", ranks, " x ",
             each);
  if (has_deadline() || each > kPartBytes) return allgather_by_posts(mine, all);
  guarded([&] {
    const int count = static_cast<int>(each);
    BS_MPI(MPI_Allgather(mine.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, group_.get()));
    count_sent(each * (ranks - 1));
  });
}

void LinkMpi::barrier() {
  guarded([&] {
    if (!has_deadline()) return BS_MPI(MPI_Barrier(group_.get()));
    MPI_Request request = MPI_REQUEST_NULL;
    BS_MPI(MPI_Ibarrier(group_.get(), &request));
    const auto open = [&] {
      int done = 0;
      BS_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
      return done != 0;
    };
    poll_until(seconds_left(), open, [&] { return concat("the other ", size() - 1, " ranks at a barrier"); });
  });
}

}  // namespace bench::comm
