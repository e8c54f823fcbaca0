// SPDX-License-Identifier: Apache-2.0
// For which devices this program holds code. The list is CMake's CMAKE_CUDA_ARCHITECTURES, the rules are those
// of CUDA's binary compatibility (CUDA C++ Programming Guide, "Compute Capability and compatibility"). Pure.
#pragma once

#include <string>

namespace bench::device {

enum class Code {
  none,      // nothing of the list runs there
  compiled,  // machine code of its generation is in the program
  by_driver  // the driver compiles the program's PTX when it is loaded
};

/// `list` as CMake has it, with commas: "80,90a". 80 is machine code for 8.0 and later 8.x, and PTX for everything later; 80-real
/// the former alone, 80-virtual the latter; 90a is for 9.0 alone, 100f for its family (10.x from .0 on).
Code code_for(const std::string& list, int major, int minor);

/// The list that this program was built for.
const char* built_for();
/// "sm_80, sm_90a".
std::string built_for_text();

}  // namespace bench::device
