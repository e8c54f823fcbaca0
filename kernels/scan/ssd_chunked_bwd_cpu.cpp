// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_bwd_cpu: the backward pass of Mamba-2's scan in chunks of 64 steps with the decays taken out of
// the steps, as ssd_chunked_cpu does it forwards; threads take runs of heads of one group and batch entry.
//
// Shapes: x, dout, dx, gated z and dz (B, L, H, P); dt, ddt (B, L, H); A, D, dt_bias, dA, dD, ddt_bias (H); B, C, dB, dC (B,
// L, G, N); h0, dh_last, dh0 (B, H, P, N). Formulas in ssd_bwd.hpp.
//
// Algorithm: see ssd_bwd_tile.hpp. A sweep forwards gives dC and keeps the states at chunk ends, a sweep
// backwards dx, ddt and dB. Both take all heads of a chunk before the next chunk, so that rows of x and dout
// are read whole and dB and dC are summed over heads while they lie in L2. Where a group's heads are shared
// by threads, all but the first have dB and dC of their own, which are added in order. Gated, the forward pass
// runs first and leaves its result before the gate in dz; dout is gated as it is read.
//
// Work: 12 B L H P N FLOPs, gated 16, on the multiply-add ports, which bind. Memory: the kept states, B H P N L / 64,
// are written and read once: at N = 128 twice the size of x in fp32, and the same again in workspace.
//
// Error against fp64: some 50 eps of the state's type. dA and ddt rest on a sum that carries its rounding
// through a chunk: of heads that forget nearly all at every step (d |A| = 6) dA is off by 4e-4 of itself,
// which counts only if all heads are such. Repeats bit for bit; another number of threads adds dB
// and dC in another order.
//
// Right choice: always, on x86 with AVX2 or AVX-512; elsewhere the same code in the compiler's generic
// vectors. Wrong: for B H < threads, as neither time nor a head is cut; and for strong decays at every step
// (d |A| > 4 or so), whose blocks are short.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_bwd_tile.hpp"
#include "kernels/scan/ssd_heads.hpp"

namespace bench::scan {
namespace {

/// How many threads share the heads of a group.
std::int64_t parts_of(const SsdProblem& p) {
  return std::clamp<std::int64_t>(ceil_div(p.threads, p.batch * p.groups), 1, p.group_heads());
}

/// The workspace. Made once with a null pointer to learn its size.
template <class S>
struct Room {
  SsdKept<S> kept{};
  S* partial;  // [part - 1]: dB, dC (B, L, G, N)
  S* scratch;  // [thread]
  std::int64_t sums, scratch_size, bytes = 0;

  Room(const SsdProblem& p, std::byte* from) {
    const std::int64_t heads = p.batch * p.heads, chunks = p.segments().most_pieces(p.seq, kSsdSteps);
    sums = p.batch * p.seq * p.groups * p.state;
    scratch_size = ssd_bwd_scratch(p.head_dim, p.state);
    kept.heads = heads, kept.seq = p.seq;
    kept.by_n_size = ssd_packed_states(p.state, p.head_dim);
    kept.by_i_size = ssd_packed_states(p.head_dim, p.state);
    kept.states = take<S>(from, chunks * heads * kept.by_n_size);
    kept.opens = take<double>(from, chunks * heads);
    kept.by_n = take<S>(from, heads * kept.by_n_size);
    kept.by_i = take<S>(from, heads * kept.by_i_size);
    kept.open = take<double>(from, heads);
    kept.next_d = take<S>(from, heads);
    kept.held = take<S>(from, heads * p.seq);
    kept.gains = take<S>(from, heads * p.seq);
    kept.sums = take<double>(from, heads * 3);
    partial = take<S>(from, (parts_of(p) - 1) * 2 * sums);
    scratch = take<S>(from, p.threads * scratch_size);
  }

 private:
  template <class U>
  U* take(std::byte* from, std::int64_t count) {
    U* const part = from == nullptr ? nullptr : reinterpret_cast<U*>(from + bytes);
    bytes += round_up(count * static_cast<std::int64_t>(sizeof(U)), 64);  // whole lines: threads share none
    return part;
  }
};

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  const std::int64_t own = p.dtype == DType::f64 ? Room<double>(p, nullptr).bytes : Room<float>(p, nullptr).bytes;
  return own + (p.gated ? ssd_heads_bytes(p) : 0);
}

/// Adds the parts' dB and dC to the first part's, in order.
template <class S>
void add_parts(const SsdProblem& p, const Room<S>& room, S* db, S* dc) {
  const std::int64_t parts = parts_of(p);
  if (parts == 1) return;
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t i = 0; i < room.sums; ++i) {
    for (std::int64_t part = 0; part + 1 < parts; ++part) {
      db[i] += room.partial[2 * part * room.sums + i];
      dc[i] += room.partial[(2 * part + 1) * room.sums + i];
    }
  }
}

/// Adds the batch entries' sums over steps.
template <class T>
void add_sums(const SsdBwdViews<T>& views, const SsdKept<StateOf<T>>& kept) {
  using S = StateOf<T>;
  const std::int64_t heads = views.heads();
  for (std::int64_t head = 0; head < heads; ++head) {
    double total[3] = {};
    for (std::int64_t k = head; k < kept.heads; k += heads)
      for (int j = 0; j < 3; ++j) total[j] += kept.sums[3 * k + j];
    views.da[head] = static_cast<S>(total[0]);
    views.dskip[head] = static_cast<S>(total[1]);
    views.dbias[head] = static_cast<S>(total[2]);
  }
}

template <class T>
void scan(const SsdProblem& p, Tensors& tensors, Context& context) {
  using S = StateOf<T>;
  const SsdBwdViews<T> views(p, tensors);
  const Room<S> room(p, context.workspace.data());
  if (p.gated) {  // the result before the gate, into dz; dh0 serves as its state
    std::memcpy(tensors["dh0"].data(), tensors["h0"].data(), static_cast<std::size_t>(tensors["h0"].bytes()));
    scan_ssd_heads(p, SsdViews<T>(p, tensors), tensors["dh0"].as<S>(), context.workspace.data() + room.bytes);
  }
  const std::int64_t parts = parts_of(p);
  S *const db = tensors["dB"].as<S>(), *const dc = tensors["dC"].as<S>();
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t job = 0; job < p.batch * p.groups * parts; ++job) {
    const std::int64_t part = job % parts, group = job / parts % p.groups, first = group * p.group_heads();
    const Range heads = part_of(p.group_heads(), 1, parts, part);
    S* const own = room.partial + 2 * (part - 1) * room.sums;
    run_ssd_back_unit<T>({.in = &views,
                          .entry = job / parts / p.groups,
                          .group = group,
                          .heads = {first + heads.begin, first + heads.end},
                          .db = part == 0 ? db : own,
                          .dc = part == 0 ? dc : own + room.sums,
                          .kept = &room.kept,
                          .scratch = room.scratch + omp_get_thread_num() * room.scratch_size});
  }
  add_parts(p, room, db, dc);
  add_sums(views, room.kept);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SsdProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { scan<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_bwd_cpu",
    .op = "ssd",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward on the forward pass's vector engine, states kept at chunk ends",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
