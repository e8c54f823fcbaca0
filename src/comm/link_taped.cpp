// SPDX-License-Identifier: Apache-2.0
#include "src/comm/link_taped.hpp"

namespace bench::comm {

std::unique_ptr<Transfer> TapedLink::post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) {
  auto now = inner_.post(out, to, in, from);
  return tape_.note_post(std::move(now), [this, out = memory_.of(out), to, in = memory_.of(in), from] { return inner_.post(out, to, in, from); });
}

void TapedLink::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  inner_.allgather(mine, all);
  tape_.note([this, mine = memory_.of(mine), all = memory_.of(all)] { inner_.allgather(mine, all); });
}

void TapedLink::transport_allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  inner_.transport_allgather(mine, all);
  tape_.note([this, mine = memory_.of(mine), all = memory_.of(all)] { inner_.transport_allgather(mine, all); });
}

void TapedLink::barrier() {
  inner_.barrier();
  tape_.note([this] { inner_.barrier(); });
}

void TapedLink::allreduce(DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum) {
  inner_.allreduce(dtype, mine, sum);
  tape_.note([this, dtype, mine = memory_.of(mine), sum = memory_.of(sum)] { inner_.allreduce(dtype, mine, sum); });
}

void TapedLink::reduce_scatter(DType dtype, std::span<const std::byte> mine, std::span<std::byte> share) {
  inner_.reduce_scatter(dtype, mine, share);
  tape_.note([this, dtype, mine = memory_.of(mine), share = memory_.of(share)] { inner_.reduce_scatter(dtype, mine, share); });
}

void TapedLink::alltoall(std::span<const std::byte> out, std::span<std::byte> in) {
  inner_.alltoall(out, in);
  tape_.note([this, out = memory_.of(out), in = memory_.of(in)] { inner_.alltoall(out, in); });
}

}  // namespace bench::comm
