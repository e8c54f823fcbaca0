// SPDX-License-Identifier: Apache-2.0
// Expressions over the parameters of a point: the right side of `let`, and the conditions of `where` and
// `except`.
//
//   values      integers with k, m, g (powers of 1024), true, false, 'texts', names of parameters
//   arithmetic  + - * / % ^ and unary -; min(a,b) max(a,b) isqrt(a). Division rounds down and a % b has the
//   sign of b. conditions  == != on two values of one type, < <= > >= on integers, && || ! on booleans
//
// Binding, tightest first: ^ (from the right), unary - and !, * / %, + -, comparisons, &&, ||. The right side
// of && and || is evaluated only when the left does not decide, so `ranks > 1 && seq % (ranks - 1) == 0` is
// safe. There are no conversions: `causal == 1` on a boolean is an error, not false. Arithmetic is exact in
// 64 bits or an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scaling/expression_ast.hpp"
#include "src/core/params.hpp"

namespace bench::scaling {

class Expression {
 public:
  /// Bounds that keep a hostile text from exhausting the stack: characters, and levels of nesting (a chain
  /// a+b+c+... has one per term).
  static constexpr std::size_t kMaxLength = 4096;
  static constexpr int kMaxDepth = 200;

  /// Usage error with the column when `text` is not an expression or is beyond the bounds.
  explicit Expression(std::string_view text);

  /// The value at a point. Usage errors, with the column: a name the point lacks (with the nearest it has), a
  /// wrong type, division by zero, a result beyond 64 bits, a negative exponent or root.
  Value evaluate(const Params& point) const;
  /// The value of a condition; a usage error when it is no boolean.
  bool holds(const Params& point) const;

  /// Every name it uses, sorted, once each.
  std::vector<std::string> names() const;
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  std::vector<ExpressionNode> nodes_;
};

}  // namespace bench::scaling
