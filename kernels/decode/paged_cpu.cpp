// SPDX-License-Identifier: Apache-2.0
// Decode attention that reads each cached row once: out = sum_t 2^(s_t - m) v_t / sum_t 2^(s_t - m), s_t =
// log2(e) / sqrt(D) q . k_t, over the tokens t of a sequence, wherever their pages lie.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D) -> out (B, H, D) in the tensors' dtype, lse (B, H) in
// fp32 (fp64 for fp64 tensors). Algorithm: split-KV with an online softmax (Flash-Decoding, Dao et al. 2023):
// a sequence is cut into spans of kSpan tokens, each span leaves a state (max, sum, output) a head, and the
// states of a sequence are merged in ascending order. The cut depends on nothing but the token's place, so
// the bits of a sequence's result are the same for any number of threads and any other sequences beside it.
// Threads share spans; where those are too few, the key/value heads of a span are shared too.
//
// Work: 4 D flops and one exponential a query head and token; a row of keys or values serves all query heads
// of its group (GQA). Bytes: K and V once, plus a state of H D words a span, written and read once.
// Accumulation: fp32 (fp64 for fp64); 16-bit rows are widened in registers, weights are not rounded. Error
// against fp64 on N(0,1) inputs: below 2e-6 of max|ref| in fp32, the rounding of the output in bf16 and fp16.
// Scores must stay within +-1e28. Right for everything on a CPU.
#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/attention/carve.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/decode/cache_map.hpp"
#include "kernels/decode/token_block.hpp"

namespace bench::decode {
namespace {

/// Tokens that one state covers: short enough that one sequence of a few thousand tokens keeps 16 threads
/// busy, long enough that its state is small beside its keys and values.
constexpr std::int64_t kSpan = 256;
/// Tasks a thread, at least: the last ones to be handed out should not matter.
constexpr std::int64_t kTasksEach = 8;
struct Span {
  std::int64_t sequence, first, tokens;
};

struct Plan : CacheMap {
  explicit Plan(const DecodeProblem& p) : CacheMap(p) {
    for (std::int64_t b = 0; b < p.batch; ++b) {
      const std::int64_t length = lengths[static_cast<std::size_t>(b)];
      first_span.push_back(span_count());
      for (std::int64_t t = 0; t < length; t += kSpan) spans.push_back({b, t, std::min(kSpan, length - t)});
    }
    first_span.push_back(span_count());
    parts = std::clamp(ceil_div(kTasksEach * p.threads, span_count()), std::int64_t{1}, p.kv_heads);
  }
  std::int64_t span_count() const { return static_cast<std::int64_t>(spans.size()); }

  std::vector<Span> spans;               // by sequence, then ascending
  std::vector<std::int64_t> first_span;  // (B + 1)
  std::int64_t parts = 1;                // into which the key/value heads of a span are cut
};

template <class Real>
struct Workspace {
  Real* q = nullptr;    // (B, Hkv, group * stride)
  Real* max = nullptr;  // (spans, H)
  Real* sum = nullptr;
  Real* acc = nullptr;     // (spans, H, stride)
  Real* scores = nullptr;  // (threads, H, kBlockTokens)

  static Workspace carve(attention::Carver& carver, const DecodeProblem& p, std::int64_t spans) {
    const std::int64_t stride = round_up(p.head_dim, kMostLanes);
    Workspace w;
    w.q = carver.take<Real>(p.batch * p.heads * stride);
    w.max = carver.take<Real>(spans * p.heads);
    w.sum = carver.take<Real>(spans * p.heads);
    w.acc = carver.take<Real>(spans * p.heads * stride);
    w.scores = carver.take<Real>(p.threads * p.heads * kBlockTokens);
    return w;
  }
};

template <class T>
struct Job {
  using Real = RealOf<T>;
  const DecodeProblem& p;
  const Plan& plan;
  Workspace<Real> w;
  const T* q;
  const T* k;
  const T* v;
  T* out;
  Real* lse;
  std::int64_t stride = round_up(p.head_dim, kMostLanes);
  const BlockEngine& engine = block_engine(p.head_dim);

  void scale_query(std::int64_t row) const {
    const double scale = p.scale() * attention::kLog2E;
    Real* const to = w.q + row / p.group() * p.group() * stride;
    for (std::int64_t d = 0; d < stride; ++d)
      to[query_place<T>(engine, p.head_dim, p.group(), row % p.group(), d)] =
          d < p.head_dim ? static_cast<Real>(load(q[row * p.head_dim + d]) * scale) : Real{0};
  }

  /// Where the rows of `count` tokens of a span begin, from token `first` on; behind the span's last token,
  /// that one again.
  void locate(const Span& span, std::int64_t first, std::int64_t count, std::int64_t* offset) const {
    const std::int64_t row = p.row(), last = span.first + span.tokens - 1;
    for (std::int64_t i = 0; i < count; ++i)
      offset[i] = plan.slot(span.sequence, std::min(first + i, last)) * row;
  }

  /// Span `task` % spans, key/value heads of part `task` / spans.
  void attend(std::int64_t task) const {
    const std::int64_t spans = plan.span_count(), at = task % spans, part = task / spans;
    const std::int64_t head = part * p.kv_heads / plan.parts, end = (part + 1) * p.kv_heads / plan.parts;
    const Span& span = plan.spans[static_cast<std::size_t>(at)];
    const Span& next = plan.spans[static_cast<std::size_t>(std::min(at + 1, spans - 1))];
    const std::int64_t row = at * p.heads + head * p.group();
    std::int64_t offset[kBlockTokens + kGroupTokens];
    BlockArgs<T> args{};
    args.k = k + head * p.head_dim;
    args.v = v + head * p.head_dim;
    args.offset = offset;
    args.kv_heads = end - head;
    args.group = p.group();
    args.head_dim = p.head_dim;
    args.stride = stride;
    args.q = w.q + (span.sequence * p.heads + head * p.group()) * stride;
    args.max = w.max + row;
    args.sum = w.sum + row;
    args.acc = w.acc + row * stride;
    args.scores = w.scores + omp_get_thread_num() * p.heads * kBlockTokens;
    const std::int64_t rows = args.kv_heads * args.group;
    std::fill_n(args.max, rows, static_cast<Real>(attention::kEmptyMax));
    std::fill_n(args.sum, rows, Real{0});
    std::fill_n(args.acc, rows * stride, Real{0});
    for (std::int64_t t = 0; t < span.tokens; t += kBlockTokens) {
      const bool last = t + kBlockTokens >= span.tokens;
      locate(span, span.first + t, kBlockTokens, offset);
      locate(last ? next : span, last ? next.first : span.first + t + kBlockTokens, kGroupTokens,
             offset + kBlockTokens);
      args.tokens = std::min(kBlockTokens, span.tokens - t);
      attend_block(engine, args);
    }
  }

  /// Query head h of sequence b: the states of its spans together, in ascending order.
  void finish(std::int64_t b, std::int64_t h) const {
    const std::int64_t begin = plan.first_span[static_cast<std::size_t>(b)];
    const std::int64_t end = plan.first_span[static_cast<std::size_t>(b) + 1];
    attention::SoftmaxState<Real> state;
    for (std::int64_t s = begin; s < end; ++s)
      state = attention::merge(state, {w.max[s * p.heads + h], w.sum[s * p.heads + h]});
    Real* const total = w.acc + (begin * p.heads + h) * stride;
    for (std::int64_t s = begin; s < end; ++s) {
      const Real* part = w.acc + (s * p.heads + h) * stride;
      const Real weight = std::exp2(w.max[s * p.heads + h] - state.max) * state.normaliser();
      for (std::int64_t d = 0; d < p.head_dim; ++d)
        total[d] = (s == begin ? Real{0} : total[d]) + part[d] * weight;
    }
    const std::int64_t row = b * p.heads + h;
    for (std::int64_t d = 0; d < p.head_dim; ++d)
      out[row * p.head_dim + d] = store<T>(total[place_of<T>(engine, p.head_dim, d)]);
    lse[row] = state.log_sum_exp();
  }
};

template <class T>
void attend_all(const DecodeProblem& p, Tensors& tensors, Context& context) {
  const auto& plan = static_cast<const Plan&>(*context.prepared);
  attention::Carver carver(context.workspace);
  const Job<T> job{p,
                   plan,
                   Workspace<RealOf<T>>::carve(carver, p, plan.span_count()),
                   tensors["q"].as<T>(),
                   tensors["k_cache"].as<T>(),
                   tensors["v_cache"].as<T>(),
                   tensors["out"].as<T>(),
                   tensors["lse"].as<RealOf<T>>()};
  const std::int64_t rows = p.batch * p.heads, tasks = plan.span_count() * plan.parts;
  // Several spans in a row, since the end of one fetches the beginning of the next.
  const std::int64_t grain = std::max(std::int64_t{1}, tasks / (kTasksEach * p.threads));
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < rows; ++row) job.scale_query(row);
#pragma omp for schedule(dynamic, grain)
    for (std::int64_t task = 0; task < tasks; ++task) job.attend(task);
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < rows; ++row) job.finish(row / p.heads, row % p.heads);
  }
}

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  std::int64_t spans = 0;
  for (const std::int64_t length : sequence_lengths(p)) spans += ceil_div(length, kSpan);
  return dispatch(p.dtype, [&]<class T>() {
    attention::Carver carver;
    Workspace<RealOf<T>>::carve(carver, p, spans);
    return carver.used_bytes();
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context&) {
  return std::make_unique<Plan>(problem_as<DecodeProblem>(problem));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<DecodeProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { attend_all<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "decode/paged_cpu",
    .op = "decode",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "split over the cache, one read of K and V for a group of heads, next rows fetched ahead",
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::decode
