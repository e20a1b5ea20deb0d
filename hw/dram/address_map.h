// SPDX-License-Identifier: Apache-2.0
// Which bank, row and column an address falls into, as a readable expression of bit fields.
//
// clang-format off
//   row rank bank column bankgroup                   fields, most significant first, above the byte offset of an access
//   row:16 bank:2 column:7 bankgroup:2               the same with widths in bits, which are checked
//   row rank bank column:4 bankgroup column:3        a field in pieces: the rightmost piece holds its lowest bits
//   row rank bank column bankgroup channel           where the channel is interleaved (else: `interleave` bytes)
//   ... ; bankgroup ^= row[1:0] ; bank ^= row[3:2]   XOR hashing, applied left to right on decoding
//   row bank rank column bankgroup pseudochannel     ranks within a pseudo-channel, and the pseudo-channel on its own
//   RoBaRaCoCh, rochrababgco                         two-letter codes in one word, as other simulators write them
//   bg_low, column_low, bank_low                     named maps, see address_map::named()
// clang-format on
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hw/dram/standard.h"

namespace memwall::dram {

/// Where one burst lies within its channel.
struct local_location {
  int rank = 0, bank_group = 0, bank = 0;  ///< `bank` counts within its group
  std::int64_t row = 0;
  int column = 0;  ///< in bursts
};
inline bool operator==(const local_location& a, const local_location& b) {
  return a.rank == b.rank && a.bank_group == b.bank_group && a.bank == b.bank && a.row == b.row && a.column == b.column;
}

struct location : local_location {
  int channel = 0;
};
inline bool operator==(const location& a, const location& b) {
  return static_cast<const local_location&>(a) == static_cast<const local_location&>(b) && a.channel == b.channel;
}

/// Consecutive bursts of one channel: local burst indices first_burst .. first_burst + count - 1.
struct channel_run {
  int channel = 0;
  std::int64_t first_burst = 0;
  std::int64_t count = 0;
};

constexpr int most_channels = 4096;  ///< of one memory

struct address_map_params {
  std::string expression;         ///< "": the standard's default_map
  int channels = 1;               ///< any positive count (5 HBM stacks of 32 pseudo-channels: 160)
  std::int64_t interleave = 256;  ///< bytes to one channel before the next; a multiple of the access size. An
                                  ///< expression with `channel` in it sets this itself
};

/// Addresses beyond the capacity wrap around. Immutable; cheap to copy.
class address_map {
 public:
  /// Throws input_error, with the place in the expression, when it does not describe exactly the organisation.
  address_map(const address_map_params& params, const organisation& org);

  /// Names and expressions of the maps that ship with memwall.
  static const std::vector<std::pair<std::string, std::string>>& named();

  int channels() const { return m_channels; }
  std::int64_t interleave() const { return m_interleave_bursts * m_access_bytes; }
  int access_bytes() const { return m_access_bytes; }
  std::int64_t capacity_bytes() const { return m_local_bursts * m_access_bytes * m_channels; }
  std::int64_t local_bursts() const { return m_local_bursts; }  ///< of one channel

  /// The expression in full: fields with widths, hashes. Reads back to an equal map.
  std::string text() const;

  /// Channel and local burst index of a byte address.
  std::pair<int, std::int64_t> channel_of(std::uint64_t address) const {
    const std::int64_t burst = wrap(address);
    const std::int64_t block = burst / m_interleave_bursts, within = burst % m_interleave_bursts;
    const std::int64_t local_block = block / m_channels;
    const int raw = static_cast<int>(block % m_channels);
    return {raw ^ channel_hash(local_block), local_block * m_interleave_bursts + within};
  }

  /// Bank, row and column of a channel's burst, 0 <= local_burst < local_bursts(); larger indices wrap.
  local_location decode_local(std::int64_t local_burst) const {
    std::array<std::int64_t, 5> f{};
    if (m_power_of_two) {
      const auto bits = static_cast<std::uint64_t>(local_burst);
      for (int i = 0; i < m_piece_count; ++i) {
        const piece& p = m_pieces[static_cast<std::size_t>(i)];
        f[p.field] |= static_cast<std::int64_t>((bits >> p.shift & p.mask) << p.field_shift);
      }
    } else {
      decode_mixed(local_burst, f);
    }
    for (const hash& h : m_hashes) f[h.target] ^= (f[h.source] >> h.shift & h.mask) << h.target_shift;
    local_location out;
    out.rank = static_cast<int>(f[0]);
    out.bank_group = static_cast<int>(f[1]);
    out.bank = static_cast<int>(f[2]);
    out.row = f[3];
    out.column = static_cast<int>(f[4]);
    return out;
  }
  std::int64_t encode_local(const local_location& at) const;  ///< inverse of decode_local

  location decode(std::uint64_t address) const {
    const auto [index, burst] = channel_of(address);
    location out;
    static_cast<local_location&>(out) = decode_local(burst);
    out.channel = index;
    return out;
  }
  std::uint64_t encode(const location& at) const;  ///< address of the first byte of the burst; inverse of decode

  /// Byte address of a channel's burst; inverse of channel_of.
  std::uint64_t address_of(int channel, std::int64_t local_burst) const;

  /// The bursts that a transfer touches, one run per channel: closed form, costs O(channels touched), whatever its
  /// size. `visit(const channel_run&)`. Bursts touched in part count whole. A transfer that wraps visits channels
  /// twice.
  template <class Visit>
  void for_each_run(std::uint64_t address, std::uint64_t bytes, Visit&& visit) const;
  std::vector<channel_run> split(std::uint64_t address, std::uint64_t bytes) const;
  /// Whether a transfer that does not wrap consists of whole stripes over all channels: then the run of each is `run`.
  bool whole_stripes(std::uint64_t address, std::uint64_t bytes, channel_run& run) const {
    const auto stripe = static_cast<std::uint64_t>(interleave()) * static_cast<std::uint64_t>(m_channels);
    if (address % stripe != 0 || bytes % stripe != 0) return false;
    run.first_burst = static_cast<std::int64_t>(address / stripe) * m_interleave_bursts;
    run.count = static_cast<std::int64_t>(bytes / stripe) * m_interleave_bursts;
    return true;
  }

  /// decode_local(b + row_period_bursts()) is decode_local(b) with row + row_period_rows(), whenever
  /// (b / row_period_bursts()) % row_periods() + 1 < row_periods(): the unit by which a stream repeats itself.
  std::int64_t row_period_bursts() const { return m_period_bursts; }
  std::int64_t row_period_rows() const { return m_period_rows; }
  std::int64_t row_periods() const { return m_periods; }
  /// Bursts of a bank that lie in different periods are in different rows.
  bool row_periods_apart() const { return m_apart; }

 private:
  enum field : std::size_t { rank, bank_group, bank, row, column, channel, field_count };
  struct piece {
    std::size_t field = 0;
    int shift = 0, field_shift = 0;  ///< bit positions, when everything is a power of two
    std::uint64_t mask = 0;
    std::int64_t radix = 1, weight = 1;  ///< values of this piece; bursts below it
    std::int64_t field_weight = 1;       ///< values of this field below it
    bool pseudo_channel = false;         ///< written as such; its field is rank
  };
  struct hash {
    std::size_t target = 0, source = 0;
    int shift = 0, target_shift = 0;
    std::int64_t mask = 0;
  };

  std::uint64_t burst_of(std::uint64_t address) const {  // divisions take long
    return m_access_bits > 0 ? address >> m_access_bits : address / static_cast<std::uint64_t>(m_access_bytes);
  }
  std::int64_t wrap(std::uint64_t address) const {
    const auto burst = burst_of(address);
    const auto total = static_cast<std::uint64_t>(m_local_bursts) * static_cast<std::uint64_t>(m_channels);
    return static_cast<std::int64_t>(burst < total ? burst : burst % total);
  }
  int channel_hash(std::int64_t local_block) const {
    return m_channel_hashes.empty() ? 0 : channel_hash_of(local_block);
  }
  int channel_hash_of(std::int64_t local_block) const;
  void decode_mixed(std::int64_t local_burst, std::array<std::int64_t, 5>& f) const;
  void parse(const address_map_params& params, const organisation& org);

  int m_access_bytes = 64, m_access_bits = 0;  ///< bits: 0 when it is no power of two
  int m_channels = 1;
  std::int64_t m_interleave_bursts = 4, m_local_bursts = 1;
  std::int64_t m_period_bursts = 1, m_period_rows = 1, m_periods = 1;
  bool m_apart = true;
  bool m_power_of_two = true;
  bool m_channel_written = false;  ///< the expression says where the channel goes
  int m_piece_count = 0;
  std::array<piece, 24> m_pieces{};  ///< least significant first
  std::vector<hash> m_hashes, m_channel_hashes;
};

template <class Visit>
void address_map::for_each_run(std::uint64_t address, std::uint64_t bytes, Visit&& visit) const {
  if (bytes == 0) return;
  const auto access = static_cast<std::uint64_t>(m_access_bytes);
  const std::int64_t total = m_local_bursts * m_channels;
  std::int64_t first = wrap(address);
  auto left = static_cast<std::int64_t>(burst_of(address - burst_of(address) * access + bytes + access - 1));
  while (left > 0) {
    const std::int64_t count = left < total - first ? left : total - first;
    if (m_channels == 1) {
      visit(channel_run{0, first, count});
      left -= count;
      first = 0;
      continue;
    }
    const std::int64_t last = first + count - 1;
    const std::int64_t block_a = first / m_interleave_bursts, block_b = last / m_interleave_bursts;
    const std::int64_t sweep_a = block_a / m_channels, sweep_b = block_b / m_channels;  // local blocks
    const auto run = [&](int c, std::int64_t from, bool starts, std::int64_t to, bool ends) {
      const std::int64_t begin = from * m_interleave_bursts + (starts ? first % m_interleave_bursts : 0);
      const std::int64_t end = to * m_interleave_bursts + (ends ? last % m_interleave_bursts : m_interleave_bursts - 1);
      visit(channel_run{c, begin, end - begin + 1});
    };
    const int hash_a = channel_hash(sweep_a), hash_b = channel_hash(sweep_b);
    left -= count;
    if (block_b - block_a < m_channels && (m_channel_hashes.empty() || sweep_a == sweep_b)) {
      for (std::int64_t b = block_a; b <= block_b; ++b)
        run(static_cast<int>(b % m_channels) ^ hash_a, b / m_channels, b == block_a, b / m_channels, b == block_b);
      first = 0;
      continue;
    }
    for (int c = 0; c < m_channels; ++c) {
      // Every whole sweep over the channels gives each one block, hashed or not: only the two ends need a look.
      const std::int64_t at_a = sweep_a * m_channels + (c ^ hash_a), at_b = sweep_b * m_channels + (c ^ hash_b);
      const std::int64_t from = at_a < block_a ? sweep_a + 1 : sweep_a, to = at_b > block_b ? sweep_b - 1 : sweep_b;
      if (from <= to) run(c, from, at_a == block_a, to, at_b == block_b);
    }
    first = 0;
  }
}

}  // namespace memwall::dram
