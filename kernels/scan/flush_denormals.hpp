// SPDX-License-Identifier: Apache-2.0
// A state that decays without input ends among the denormal numbers, where each operation may cost a hundred
// cycles. They are worth nothing here (the tolerance is relative to the largest state), so the scans flush
// them to zero while they run.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace bench::scan {

/// While it lives, results of this thread that would be denormal become zero (the MXCSR flush bit; elsewhere
/// it does nothing). Denormal inputs keep their value: fp16 subnormals pass through them.
class FlushDenormals {
 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
#if defined(__x86_64__)
  FlushDenormals() : saved_(_mm_getcsr()) {
    _mm_setcsr(saved_ | _MM_FLUSH_ZERO_ON);
  }
  ~FlushDenormals() {
    _mm_setcsr(saved_);
  }

 private:
  unsigned saved_;
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
};

}  // namespace bench::scan
