// SPDX-License-Identifier: Apache-2.0
// What arrives at a server: prompts and how many tokens are wanted, and what prompts have in common.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hw/common/quantity.h"

namespace memwall::serving {

/// A run of tokens with a known origin. Two prompts that start with the same spans start with the same tokens.
struct span {
  std::uint64_t content = 0;  ///< identity of the text
  std::int64_t tokens = 0;
};

struct request {
  std::string id;          ///< as the file names it, else its number
  ps_t arrival = 0;        ///< since the first request may arrive; of a request with `after`: unused
  std::int64_t input = 0;  ///< tokens of the prompt, a shared prefix included
  std::int64_t output = 0;
  std::string kind;           ///< class of the request; figures are told by class where there is more than one
  std::vector<span> content;  ///< of the prompt, then of what is generated; the last span goes on without end
  /// Arrives `pause` after the request with this index has ended (closed loops, turns of a conversation).
  std::int64_t after = -1;
  ps_t pause = 0;
  std::int64_t line = 0;  ///< in its file, 0: it came from a specification
};

struct request_list {
  std::string origin;  ///< file or specification
  std::vector<request> requests;
  std::int64_t warm_up = 0;        ///< that many requests at the start are served but left out of the figures
  std::vector<std::string> notes;  ///< what the reader left out and why
};

/// Identity of blocks of a prompt and of what follows it: block i of two requests has the same hash exactly where all
/// tokens up to the end of that block are the same.
std::uint64_t block_hash(const request& r, std::int64_t block, std::int64_t block_size, std::uint64_t before);

/// Multiplies the times between arrivals so that `rate` requests a second arrive on average.
void scale_rate(request_list& list, double rate);
/// Keeps the first `count`.
void keep_first(request_list& list, std::int64_t count);

}  // namespace memwall::serving
