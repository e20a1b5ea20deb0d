// SPDX-License-Identifier: Apache-2.0
// The paged KV cache of one server: blocks of tokens, shared by sequences that start alike, kept after their end until
// somebody needs the room (least recently used first).
#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace memwall::serving {

class kv_blocks {
 public:
  using block_id = std::int32_t;

  kv_blocks(std::int64_t count, bool prefix_caching);

  std::int64_t count() const { return static_cast<std::int64_t>(m_blocks.size()); }
  /// Blocks that nobody uses now; some of them still hold a prefix that may be asked for again.
  std::int64_t free() const { return m_free; }
  std::int64_t used() const { return count() - m_free; }

  /// Whether a full block with this hash is held, and which.
  bool find(std::uint64_t hash, block_id& out) const;
  bool is_free(block_id b) const { return at(b).users == 0; }
  /// One more user of a block that find() gave.
  void share(block_id b);
  /// An empty block. There must be a free one; what it held is forgotten.
  block_id take();
  /// The block is full: whoever asks for this hash finds it. Another block with the same hash stays the one that is
  /// found.
  void fill(block_id b, std::uint64_t hash);
  /// One user less. Free blocks keep what they hold until they are taken, the longest free one first.
  void release(block_id b);
  std::int32_t users(block_id b) const { return at(b).users; }

 private:
  struct block {
    std::int32_t users = 0;
    block_id before = -1, behind = -1;  // in the queue of free blocks
    bool found_by_hash = false;
    std::uint64_t hash = 0;
  };
  block& at(block_id b) { return m_blocks[static_cast<std::size_t>(b)]; }
  const block& at(block_id b) const { return m_blocks[static_cast<std::size_t>(b)]; }
  void unlink(block_id b);
  void append(block_id b);

  std::vector<block> m_blocks;
  std::unordered_map<std::uint64_t, block_id> m_by_hash;  // looked up only, never iterated
  block_id m_first = -1, m_last = -1;                     // of the free ones: the next to be taken, the last freed
  std::int64_t m_free = 0;
  bool m_caching;
};

}  // namespace memwall::serving
