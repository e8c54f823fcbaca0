// SPDX-License-Identifier: Apache-2.0
// Text of any origin made fit for markup.
#pragma once

#include <string>

namespace bench::analysis {

/// Valid UTF-8 with only the characters that XML 1.0 has (section 2.2): bad bytes become U+FFFD, control
/// characters, U+FFFE and U+FFFF '?'; line ends and tabs stay.
std::string printable(const std::string& text);

/// For the text and the quoted attributes of XML 1.0. Line ends and tabs become character references, which
/// survive in attributes too.
std::string xml_text(const std::string& text);

/// For a cell of a Markdown table: HTML, pipes, emphasis, links, code and mentions lose their meaning, line
/// ends become blanks.
std::string markdown_text(const std::string& text);

/// The same inside a <code> element, where hosts look for no mentions.
std::string markdown_code(const std::string& text);

}  // namespace bench::analysis
