// SPDX-License-Identifier: Apache-2.0
// Which pages of a managed memory are in the device: the bookkeeping of a unified-memory driver. Plain C++.
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <vector>

namespace memwall {

/// Memory in blocks, a block in pages (at most 64). A block that has pages in the device has a frame there; a frame
/// holds one block. Frames are given up in the order in which blocks last got pages: the driver sees faults, not hits.
class page_table {
 public:
  /// `threshold`: share of a subtree of a block's pages above which the rest of the subtree comes along; 1: never.
  page_table(std::int64_t blocks, int frames, int pages_per_block, double threshold);

  std::uint64_t resident(std::int64_t block) const { return m_blocks[at(block)].resident; }
  int frame(std::int64_t block) const { return m_blocks[at(block)].frame; }  ///< -1: none
  /// Pages to bring for a fault on `wanted`: those and what the tree of pages adds.
  std::uint64_t to_bring(std::int64_t block, std::uint64_t wanted) const;

  struct room {
    int frame = -1;             ///< -1: every frame is in use
    std::int64_t evicted = -1;  ///< block that had to leave it
    std::uint64_t pages = 0;    ///< of that block: their only valid copy is in the device
  };
  /// A frame for a block: its own, a free one, or that of the oldest block for which `may_leave` says yes. The block
  /// becomes the youngest.
  room make_room(std::int64_t block, const std::function<bool(std::int64_t)>& may_leave);
  /// The pages have arrived.
  void arrived(std::int64_t block, std::uint64_t pages) { m_blocks[at(block)].resident |= pages; }

 private:
  struct block_state {
    std::uint64_t resident = 0;
    int frame = -1;
    std::list<std::int64_t>::iterator place;
  };
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::vector<block_state> m_blocks;
  std::vector<int> m_free;
  std::list<std::int64_t> m_order;  // blocks with a frame, the oldest first
  int m_pages;
  double m_threshold;
};

}  // namespace memwall
