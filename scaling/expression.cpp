// SPDX-License-Identifier: Apache-2.0
#include "scaling/expression.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "scaling/nearest.hpp"
#include "scaling/value.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

using Number = std::optional<std::int64_t>;  // empty: beyond 64 bits

Number divide(std::int64_t a, std::int64_t b) {
  if (a == INT64_MIN && b == -1) return {};
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;  // INT64_MIN % -1 traps
  const std::int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

/// Squaring: at most 63 steps whatever the exponent; the last square, which nobody needs, must not count as
/// an overflow.
Number power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, base, &result)) return {};
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return {};
  }
  return result;
}

/// Largest r with r*r <= x. The double root is off by at most one for x near 2^63, hence the two corrections
/// (in unsigned arithmetic).
std::int64_t integer_root(std::int64_t x) {
  const auto wide = static_cast<std::uint64_t>(x);
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(x)));
  while (root * root > wide) --root;
  while ((root + 1) * (root + 1) <= wide) ++root;
  return static_cast<std::int64_t>(root);
}

/// Walks one tree at one point; recursion is bounded by Expression::kMaxDepth, which the parser enforced.
class Evaluator {
 public:
  Evaluator(const std::string& text, const std::vector<ExpressionNode>& nodes, const Params& point)
      : text_(text), nodes_(nodes), point_(point) {}

  Value evaluate(std::size_t index) const {
    const ExpressionNode& node = nodes_[index];
    switch (node.op) {
      case ExpressionOp::literal:
        return node.value;
      case ExpressionOp::name:
        return lookup(node);
      case ExpressionOp::logical_not:
        return !boolean(node.left);
      case ExpressionOp::logical_and:
        return boolean(node.left) && boolean(node.right);
      case ExpressionOp::logical_or:
        return boolean(node.left) || boolean(node.right);
      case ExpressionOp::equal:
        return same(node);
      case ExpressionOp::not_equal:
        return !same(node);
      case ExpressionOp::less:
      case ExpressionOp::less_equal:
      case ExpressionOp::greater:
      case ExpressionOp::greater_equal:
        return ordered(node);
      default:
        return arithmetic(node);
    }
  }

 private:
  [[noreturn]] void fail(const ExpressionNode& node, const std::string& problem) const {
    expression_error(text_, node.column, problem);
  }

  Value lookup(const ExpressionNode& node) const {
    const std::string& name = std::get<std::string>(node.value);
    const auto found = point_.find(name);
    if (found != point_.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [key, value] : point_) known.push_back(key);
    fail(node, concat("no parameter is called ", show(name), suggestion(name, known),
                      " (a text is written in quotes)"));
  }

  std::int64_t integer(std::size_t index) const { return typed<std::int64_t>(index, "an integer"); }
  bool boolean(std::size_t index) const { return typed<bool>(index, "a boolean"); }

  template <class T>
  T typed(std::size_t index, const char* wanted) const {
    const Value value = evaluate(index);
    if (const T* wanted_value = std::get_if<T>(&value)) return *wanted_value;
    fail(nodes_[index],
         concat(wanted, " is needed here, not the ", type_name(value), " ", show(to_text(value))));
  }

  bool same(const ExpressionNode& node) const {
    const Value left = evaluate(node.left), right = evaluate(node.right);
    if (left.index() != right.index())
      fail(node, concat("compares the ", type_name(left), " ", show(to_text(left)), " with the ",
                        type_name(right), " ", show(to_text(right))));
    return left == right;
  }

  bool ordered(const ExpressionNode& node) const {
    const std::int64_t left = integer(node.left), right = integer(node.right);
    switch (node.op) {
      case ExpressionOp::less:
        return left < right;
      case ExpressionOp::less_equal:
        return left <= right;
      case ExpressionOp::greater:
        return left > right;
      default:
        return left >= right;
    }
  }

  Value arithmetic(const ExpressionNode& node) const {
    const std::int64_t left = integer(node.left);
    const bool unary = node.op == ExpressionOp::negate || node.op == ExpressionOp::isqrt;
    const Number result = apply(node, left, unary ? 0 : integer(node.right));
    if (!result) fail(node, "the result does not fit in 64 bits");
    return *result;
  }

  Number apply(const ExpressionNode& node, std::int64_t left, std::int64_t right) const {
    std::int64_t result = 0;
    switch (node.op) {
      case ExpressionOp::negate:
        return __builtin_sub_overflow(std::int64_t{0}, left, &result) ? Number{} : result;
      case ExpressionOp::add:
        return __builtin_add_overflow(left, right, &result) ? Number{} : result;
      case ExpressionOp::subtract:
        return __builtin_sub_overflow(left, right, &result) ? Number{} : result;
      case ExpressionOp::multiply:
        return __builtin_mul_overflow(left, right, &result) ? Number{} : result;
      case ExpressionOp::minimum:
        return std::min(left, right);
      case ExpressionOp::maximum:
        return std::max(left, right);
      case ExpressionOp::divide:
      case ExpressionOp::modulo:
        if (right == 0) fail(node, "division by zero");
        return node.op == ExpressionOp::divide ? divide(left, right) : modulo(left, right);
      case ExpressionOp::power:
        if (right < 0) fail(node, concat("the exponent ", right, " is negative"));
        return power(left, right);
      case ExpressionOp::isqrt:
        if (left < 0) fail(node, concat("isqrt of the negative number ", left));
        return integer_root(left);
      default:
        break;
    }
    BS_REQUIRE(false, "an operator of an expression has no rule");
    return {};
  }

  const std::string& text_;
  const std::vector<ExpressionNode>& nodes_;
  const Params& point_;
};

}  // namespace

Expression::Expression(std::string_view text) : text_(text), nodes_(parse_expression(text)) {}

Value Expression::evaluate(const Params& point) const {
  return Evaluator(text_, nodes_, point).evaluate(nodes_.size() - 1);
}

bool Expression::holds(const Params& point) const {
  const Value value = evaluate(point);
  if (const bool* truth = std::get_if<bool>(&value)) return *truth;
  expression_error(
      text_, 1,
      concat("a condition must be a boolean, but this is the ", type_name(value), " ", show(to_text(value))));
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> found;
  for (const ExpressionNode& node : nodes_)
    if (node.op == ExpressionOp::name) found.push_back(std::get<std::string>(node.value));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace bench::scaling
