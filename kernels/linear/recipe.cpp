// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/recipe.hpp"

#include "src/core/error.hpp"
#include "src/core/nearest.hpp"

namespace bench::linear {
namespace {

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = [] {
    std::vector<Recipe> list{{}, {.bits = 8}};
    for (const bool hqq : {false, true})
      for (const std::int64_t group : {32, 64, 128, 256})
        list.push_back({.bits = 4, .group = group, .hqq = hqq});
    return list;
  }();
  return all;
}

}  // namespace

std::string to_text(const Recipe& recipe) {
  if (recipe.bits == 0) return "none";
  if (recipe.bits == 8) return "int8wo";
  return concat("int4wo-", recipe.group, recipe.hqq ? "-hqq" : "");
}

const std::vector<std::string>& recipe_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Recipe& recipe : recipes()) list.push_back(to_text(recipe));
    return list;
  }();
  return names;
}

Recipe parse_recipe(std::string_view text) {
  for (const Recipe& recipe : recipes())
    if (to_text(recipe) == text) return recipe;
  usage_error(
      concat("recipe '", text,
             "' is not known; allowed: none, int8wo, int4wo-G or int4wo-G-hqq with G = 32, 64, 128, 256",
             suggestion(text, recipe_names())));
}

}  // namespace bench::linear
