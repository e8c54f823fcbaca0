// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_bwd_block.hpp"

#include "kernels/isa.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_bwd_stages.hpp"

namespace bench::scan {
namespace {

/// What is left of a state: exp(A delta_sum).
template <class V, class S>
BS_INLINE V left_after(const S* a, S delta_sum) {
  return delta_sum == kForgets<S> ? V{} : Wide<V>::exp(Wide<V>::load(a) * delta_sum);
}

template <class T>
struct Survey {
  const BackShare<T>& share;
  const BackBlock& block;
  const BackScratch<StateOf<T>>& scratch;
  const BackCarries<StateOf<T>>& carries;
  const Kept<StateOf<T>>& kept;

  template <class V>
  BS_INLINE void run() const {
    using S = StateOf<T>;
    const BackScratch<S>& s = scratch;
    const std::int64_t states = share.states, padded = share.padded(), steps = block.steps.size();
    stage_columns<V, T>(share, block, s);
    for (std::int64_t k = 0; k < block.channels.size(); ++k) {
      const std::int64_t channel = block.channels.begin + k, row = channel * states;
      load_row(share.a + row, states, padded, s.a);
      load_row(carries.end + row, states, padded, s.start);
      S& delta_sum = carries.delta_sum[channel];
      kept.delta_sum[channel] = delta_sum;
      std::copy_n(s.start, states, kept.h + row);
      if (carries.back_end == nullptr)
        survey_states<V, false>(s, padded, steps, k);
      else
        survey_both_ways<V>(row, delta_sum, k);
      std::copy_n(s.start, states, carries.end + row);
      S sum = 0;  // the block's d are added up before they meet the long sum
      for (std::int64_t t = 0; t < steps; ++t) sum += s.d[t * kBackChannels + k];
      delta_sum += sum;
    }
  }

  template <class V>
  BS_INLINE void survey_both_ways(std::int64_t row, StateOf<T> delta_sum, std::int64_t k) const {
    const std::int64_t padded = share.padded();
    load_row(carries.back_end + row, share.states, padded, scratch.end);
    for (std::int64_t n = 0; n < padded; n += Wide<V>::kWidth)
      Wide<V>::store(scratch.weight + n, left_after<V>(scratch.a + n, delta_sum));
    survey_states<V, true>(scratch, padded, block.steps.size(), k);
    std::copy_n(scratch.end, share.states, carries.back_end + row);
  }
};

template <class T>
struct Settle {
  const BackShare<T>& share;
  const BackBlock& block;
  const BackScratch<StateOf<T>>& scratch;
  const Kept<StateOf<T>>& kept;
  const Settled<StateOf<T>>& to;

  template <class V>
  BS_INLINE void run() const {
    using S = StateOf<T>;
    const BackScratch<S>& s = scratch;
    const std::int64_t states = share.states, padded = share.padded(), steps = block.steps.size();
    stage_columns<V, T>(share, block, s);
    for (std::int64_t k = 0; k < block.channels.size(); ++k) {
      const std::int64_t channel = block.channels.begin + k, row = channel * states;
      load_row(share.a + row, states, padded, s.a);
      load_row(kept.h + row, states, padded, s.start);
      load_row(to.start + row, states, padded, s.weight);
      load_row(to.later + row, states, padded, s.end);
      for (std::int64_t n = 0; n < padded; n += Wide<V>::kWidth) {
        const V decay = left_after<V>(s.a + n, kept.delta_sum[channel]);
        Wide<V>::store(s.start + n, decay * Wide<V>::load(s.weight + n) + Wide<V>::load(s.start + n));
      }
      states_again<V>(s, padded, steps, k);
      states_back<V>(s, padded, steps, k, to.db, to.dc);
      std::copy_n(s.end, states, to.later + row);
      for (std::int64_t n = 0; n < states; ++n) to.da[row + n] += s.sum[n];
    }
    finish_columns<V, T>(share, block, s, to);
  }
};

template <class Job>
BS_TARGET_AVX512 void run_avx512(const Job& job) {
  job.template run<simd::F32x16>();
  BS_LEAVE_WIDE_VECTORS();
}
template <class Job>
BS_TARGET_AVX2 void run_avx2(const Job& job) {
  job.template run<simd::F32x8>();
  BS_LEAVE_WIDE_VECTORS();
}

template <class T, class Job>
void run_widest(const Job& job) {
  const FlushDenormals flush;
  if constexpr (std::is_same_v<T, double>) {
    job.template run<double>();
  } else {
    const Isa isa = best_isa();
    if (isa == Isa::avx512) return run_avx512(job);
    if (isa == Isa::avx2) return run_avx2(job);
    job.template run<simd::F32x4>();
  }
}

}  // namespace

template <class T>
void load_mixers(const BackShare<T>& share, const BackBlock& block, const BackScratch<StateOf<T>>& scratch) {
  const std::int64_t padded = share.padded();
  for (std::int64_t t = 0; t < block.steps.size(); ++t) {
    const std::int64_t row =
        ((block.entry * share.rows + block.steps.begin + t) * share.groups + block.group) * share.states;
    for (std::int64_t n = 0; n < padded; ++n) {
      const bool inside = n < share.states;
      scratch.b[t * padded + n] = inside ? load(share.b[row + n]) : StateOf<T>{0};
      scratch.c[t * padded + n] = inside ? load(share.c[row + n]) : StateOf<T>{0};
    }
  }
}

template <class T>
void survey(const BackShare<T>& share, const BackBlock& block, const BackScratch<StateOf<T>>& scratch,
            const BackCarries<StateOf<T>>& carries, const Kept<StateOf<T>>& kept) {
  run_widest<T>(Survey<T>{share, block, scratch, carries, kept});
}

template <class T>
void settle(const BackShare<T>& share, const BackBlock& block, const BackScratch<StateOf<T>>& scratch,
            const Kept<StateOf<T>>& kept, const Settled<StateOf<T>>& to) {
  run_widest<T>(Settle<T>{share, block, scratch, kept, to});
}

#define BS_INSTANTIATE(T)                                                                              \
  template void load_mixers<T>(const BackShare<T>&, const BackBlock&, const BackScratch<StateOf<T>>&); \
  template void survey<T>(const BackShare<T>&, const BackBlock&, const BackScratch<StateOf<T>>&,       \
                          const BackCarries<StateOf<T>>&, const Kept<StateOf<T>>&);                    \
  template void settle<T>(const BackShare<T>&, const BackBlock&, const BackScratch<StateOf<T>>&,       \
                          const Kept<StateOf<T>>&, const Settled<StateOf<T>>&);
BS_INSTANTIATE(double)
BS_INSTANTIATE(float)
BS_INSTANTIATE(Bf16)
BS_INSTANTIATE(F16)
#undef BS_INSTANTIATE

}  // namespace bench::scan
