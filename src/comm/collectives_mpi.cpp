// SPDX-License-Identifier: Apache-2.0
// MPI's own collectives as calls of a link: the nonblocking ones, since their wait can poll, look at the
// clock and give up. MPI cannot call them back then, so that its late peers may still find it writing: memory
// is in doubt and the link broken. (A library may have other algorithms for its blocking calls: Open MPI's
// are libnbc's here.)
#include <algorithm>

#include "src/comm/link_mpi.hpp"
#include "src/comm/link_wait.hpp"
#include "src/comm/mpi_check.hpp"
#include "src/core/add_elements.hpp"
#include "src/core/by_posts.hpp"

namespace bench::comm {
namespace {

// MPI counts are int, and what it computes of them may be as well.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

template <DType dtype>
void add_for_mpi(void* from, void* into, int* count, MPI_Datatype*) {
  const std::size_t bytes = static_cast<std::size_t>(*count) * static_cast<std::size_t>(size_of(dtype));
  add_elements(dtype, {static_cast<const std::byte*>(from), bytes}, {static_cast<std::byte*>(into), bytes});
}

/// MPI knows no 16-bit floating-point numbers: it moves integers, and adds them by our function. Lives as
/// long as MPI does.
template <DType dtype>
MPI_Op sum_of_16_bit() {
  static const MPI_Op op = [] {
    MPI_Op made = MPI_OP_NULL;
    BS_MPI(MPI_Op_create(add_for_mpi<dtype>, /*commute=*/1, &made));
    return made;
  }();
  return op;
}

struct Sum {
  MPI_Datatype type;
  MPI_Op op;
};
Sum sum_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {MPI_DOUBLE, MPI_SUM};
    case DType::f32:
      return {MPI_FLOAT, MPI_SUM};
    case DType::bf16:
      return {MPI_UINT16_T, sum_of_16_bit<DType::bf16>()};
    case DType::f16:
      return {MPI_UINT16_T, sum_of_16_bit<DType::f16>()};
  }
  throw Error(ErrorKind::internal, "sum_of: not an element type");
}

int elements(DType dtype, std::size_t bytes) {
  return static_cast<int>(bytes / static_cast<std::size_t>(size_of(dtype)));
}

}  // namespace

/// `start` sets a request under way; once it is over, `payload` bytes have been sent.
template <class Start>
void LinkMpi::collective(const char* name, std::size_t payload, Start&& start) {
  guarded([&] {
    MPI_Request request = MPI_REQUEST_NULL;
    BS_MPI(start(&request));
    const auto over = [&] {
      int done = 0;
      BS_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
      return done != 0;
    };
    try {
      poll_until(seconds_left(), over, [&] { return concat("the other ", size() - 1, " ranks in ", name); });
    } catch (...) {
      doubt_memory();
      throw;
    }
    count_sent(payload);
  });
}

void LinkMpi::allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) {
  by_posts::require_allreduce(dtype, mine.size(), sum.size());
  if (mine.size() > kMostBytes) return Link::allreduce(dtype, mine, sum);
  const Sum add = sum_of(dtype);
  const auto ranks = static_cast<std::size_t>(size());
  collective("an allreduce", 2 * (ranks - 1) * mine.size() / ranks, [&](MPI_Request* request) {
    return MPI_Iallreduce(mine.data(), sum.data(), elements(dtype, mine.size()), add.type, add.op,
                          group_.get(), request);
  });
}

void LinkMpi::reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) {
  by_posts::require_reduce_scatter(*this, dtype, mine.size(), share.size());
  if (mine.size() > kMostBytes) return Link::reduce_scatter(dtype, mine, share);
  const Sum add = sum_of(dtype);
  collective("a reduce_scatter", mine.size() - share.size(), [&](MPI_Request* request) {
    return MPI_Ireduce_scatter_block(mine.data(), share.data(), elements(dtype, share.size()), add.type,
                                     add.op, group_.get(), request);
  });
}

void LinkMpi::alltoall(std::span<const std::byte> out, std::span<std::byte> in) {
  by_posts::require_alltoall(*this, out.size(), in.size());
  if (out.size() > kMostBytes) return Link::alltoall(out, in);
  const std::size_t each = out.size() / static_cast<std::size_t>(size());
  const int count = static_cast<int>(each);
  collective("an alltoall", out.size() - each, [&](MPI_Request* request) {
    return MPI_Ialltoall(out.data(), count, MPI_BYTE, in.data(), count, MPI_BYTE, group_.get(), request);
  });
}

void LinkMpi::transport_allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  by_posts::require_allgather(*this, mine.size(), all.size());
  if (all.size() > kMostBytes) return allgather(mine, all);
  const int count = static_cast<int>(mine.size());
  collective("an allgather", all.size() - mine.size(), [&](MPI_Request* request) {
    return MPI_Iallgather(mine.data(), count, MPI_BYTE, all.data(), count, MPI_BYTE, group_.get(), request);
  });
}

}  // namespace bench::comm
