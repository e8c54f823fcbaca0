// SPDX-License-Identifier: Apache-2.0
// Aligned text and Markdown from the same cells.
#pragma once

#include <string>
#include <vector>

namespace bench::analysis {

struct TextTable {
  struct Head {
    std::string name;
    bool right = false;  // numbers are flush right
  };
  std::vector<Head> heads;
  std::vector<std::vector<std::string>> rows;

  /// Columns separated by two blanks; no trailing blanks.
  std::string text() const;
  std::string markdown() const;
};

}  // namespace bench::analysis
