// SPDX-License-Identifier: Apache-2.0
#include "traces/serving/kv_blocks.h"

namespace memwall::serving {

kv_blocks::kv_blocks(std::int64_t count, bool prefix_caching)
    : m_blocks(static_cast<std::size_t>(count)), m_caching(prefix_caching) {
  for (std::int64_t i = 0; i < count; ++i) append(static_cast<block_id>(i));
}

bool kv_blocks::find(std::uint64_t hash, block_id& out) const {
  const auto found = m_by_hash.find(hash);
  if (found == m_by_hash.end()) return false;
  out = found->second;
  return true;
}

void kv_blocks::share(block_id b) {
  if (at(b).users++ == 0) unlink(b);
}

kv_blocks::block_id kv_blocks::take() {
  const block_id b = m_first;
  unlink(b);
  block& x = at(b);
  if (x.found_by_hash) m_by_hash.erase(x.hash);
  x.found_by_hash = false;
  x.users = 1;
  return b;
}

void kv_blocks::fill(block_id b, std::uint64_t hash) {
  block& x = at(b);
  if (!m_caching || x.found_by_hash) return;
  if (!m_by_hash.emplace(hash, b).second) return;
  x.hash = hash;
  x.found_by_hash = true;
}

void kv_blocks::release(block_id b) {
  if (--at(b).users == 0) append(b);
}

void kv_blocks::append(block_id b) {
  at(b).before = m_last;
  at(b).behind = -1;
  (m_last < 0 ? m_first : at(m_last).behind) = b;
  m_last = b;
  ++m_free;
}

void kv_blocks::unlink(block_id b) {
  block& x = at(b);
  (x.before < 0 ? m_first : at(x.before).behind) = x.behind;
  (x.behind < 0 ? m_last : at(x.behind).before) = x.before;
  --m_free;
}

}  // namespace memwall::serving
