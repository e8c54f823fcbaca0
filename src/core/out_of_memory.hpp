// SPDX-License-Identifier: Apache-2.0
// std::bad_alloc with words: whose memory ran out, how much was asked for and how much there was.
#pragma once

#include <memory>
#include <new>
#include <string>

namespace bench {

class OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string words) : words_(std::make_shared<const std::string>(std::move(words))) {}
  const char* what() const noexcept override { return words_->c_str(); }

 private:
  std::shared_ptr<const std::string> words_;  // copying an exception must not throw
};

}  // namespace bench
