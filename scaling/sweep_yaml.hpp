// SPDX-License-Identifier: Apache-2.0
// Reading one entry of `sweeps:`. Used by scaling/study_yaml only.
#pragma once

#include <cstddef>

#include "scaling/study.hpp"
#include "scaling/yaml_cursor.hpp"

namespace bench::scaling {

/// The sweep at `at`; `index` names it when it has no name. Faults as parse_study says.
Sweep read_sweep(const YamlCursor& at, std::size_t index);

/// A list of texts, or one text; none of them empty. Each is checked to be usable as a pattern over kernel
/// names.
std::vector<std::string> read_patterns(const YamlCursor& at);

/// A name that can stand in a path and in a table: letters, digits, '_', '-', '.', at most 64 of them.
std::string read_name(const YamlCursor& at);

}  // namespace bench::scaling
