// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.hpp"

#include <cstdlib>

#include "src/core/error.hpp"

namespace bench {
namespace {

Isa& cap() {
  static Isa isa = [] {
    const char* text = std::getenv("BENCH_SCALE_ISA");
    return text != nullptr && *text != '\0' ? parse_isa(text) : Isa::avx512;
  }();
  return isa;
}

}  // namespace

std::string_view to_text(Isa isa) {
  switch (isa) {
    case Isa::plain:
      return "plain";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "?";
}

Isa parse_isa(std::string_view text) {
  for (const Isa isa : kAllIsas)
    if (text == to_text(isa)) return isa;
  usage_error(concat("isa '", text, "' is not known; allowed: plain, avx2, avx512"));
}

Isa isa_cap() {
  return cap();
}

void cap_isa(Isa isa) {
  cap() = isa;
}

}  // namespace bench
