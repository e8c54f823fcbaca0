// SPDX-License-Identifier: Apache-2.0
// Time over a problem's size (sequence length, say): T(n) = c0 + c1 n^i (log2 n)^j, the performance model
// normal form of Calotoiu et al. (SC'13) with one term. For sizes only: over ranks its rising terms cannot
// follow a time that falls, and time_model.hpp has the right ones.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace bench::analysis {

struct SizePoint {
  double size = 1.0;
  double time_s = 0.0;
};

struct SizeFit {
  bool fitted = false;
  double constant_s = 0.0, coefficient_s = 0.0;  // c0, c1 >= 0
  double power = 0.0;                            // i of 0, 1/2, 1, 3/2, 2
  int log_power = 0;                             // j of 0, 1; a constant has i = j = 0 and c1 = 0
  double aicc = 0.0;
  double loo_smape = 0.0;     // leave-one-out, in [0, 2]: mean of 2 |T - prediction| / (T + prediction)
  std::int64_t n_points = 0;  // distinct sizes
  std::string note{};         // not fitted, n=..
};

double time_of_size(const SizeFit& fit, double size);

/// Non-negative least squares on relative error for each of the nine terms and for a constant alone. AICc as
/// in fit_time() chooses, and the constant stays unless a term is better by more than 2 units; among terms,
/// which all have as many parameters, that is the smallest error, and of equal ones the slowest growing.
/// Needs 5 distinct sizes. loo_smape refits the chosen term without each point in turn: how well it foretells
/// what it has not seen. Throws Error(internal) for a time that is not positive or a size below 1.
SizeFit fit_size(std::span<const SizePoint> points);

/// "0.001 + 2e-09 n^1.5 log2(n)".
std::string to_text(const SizeFit& fit);

}  // namespace bench::analysis
