// SPDX-License-Identifier: Apache-2.0
// NCCL's collectives as the link's stream gets them; who waits, and for how long, is link_nccl.cpp's.
#include "src/comm/nccl_parts.hpp"
#include "src/core/error.hpp"

namespace bench::comm {
namespace {

ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return ncclDouble;
    case DType::f32:
      return ncclFloat;
    case DType::bf16:
      return ncclBfloat16;
    case DType::f16:
      return ncclHalf;
  }
  throw Error(ErrorKind::internal, "nccl_type: not an element type");
}

std::size_t elements(DType dtype, std::size_t bytes) {
  return bytes / static_cast<std::size_t>(size_of(dtype));
}

}  // namespace

void queue_allgather(const NcclSetup& setup, cudaStream_t stream, std::span<const std::byte> mine,
                     std::span<std::byte> all) {
  check_nccl(NcclLibrary::get().allgather(mine.data(), all.data(), mine.size(), ncclChar, setup.comm, stream),
             "ncclAllGather", setup.comm);
}

void queue_allreduce(const NcclSetup& setup, cudaStream_t stream, DType dtype,
                     std::span<const std::byte> mine, std::span<std::byte> sum) {
  check_nccl(NcclLibrary::get().allreduce(mine.data(), sum.data(), elements(dtype, mine.size()),
                                          nccl_type(dtype), ncclSum, setup.comm, stream),
             "ncclAllReduce", setup.comm);
}

void queue_reduce_scatter(const NcclSetup& setup, cudaStream_t stream, DType dtype,
                          std::span<const std::byte> mine, std::span<std::byte> share) {
  check_nccl(NcclLibrary::get().reduce_scatter(mine.data(), share.data(), elements(dtype, share.size()),
                                               nccl_type(dtype), ncclSum, setup.comm, stream),
             "ncclReduceScatter", setup.comm);
}

/// One group: sends and receives that wait for each other must start together.
void queue_alltoall(const NcclSetup& setup, cudaStream_t stream, std::span<const std::byte> out,
                    std::span<std::byte> in) {
  const NcclLibrary& nccl = NcclLibrary::get();
  const std::size_t each = out.size() / static_cast<std::size_t>(setup.size);
  check_nccl(nccl.group_start(), "ncclGroupStart", setup.comm);
  ncclResult_t failed = ncclSuccess;
  const auto note = [&](ncclResult_t code) {
    if (failed == ncclSuccess && code != ncclInProgress) failed = code;
  };
  for (int rank = 0; rank < setup.size; ++rank) {
    const std::size_t at = static_cast<std::size_t>(rank) * each;
    note(nccl.send(out.data() + at, each, ncclChar, rank, setup.comm, stream));
    note(nccl.recv(in.data() + at, each, ncclChar, rank, setup.comm, stream));
  }
  const ncclResult_t ended = nccl.group_end();  // also after an error: the group must not stay open
  check_nccl(failed, "a send or receive of an alltoall", setup.comm);
  check_nccl(ended, "ncclGroupEnd", setup.comm);
}

}  // namespace bench::comm
