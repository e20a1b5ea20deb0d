// SPDX-License-Identifier: Apache-2.0
// A DRAM standard as data. The values live in hw/dram/standards/NAME.yaml, each with its source and a confidence tag.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace memwall::config {
class node;
}

namespace memwall::dram {

/// Shape of one channel as the controller sees it: what shares a command bus, a data bus and bank state.
/// A DDR5 sub-channel, an HBM pseudo-channel and a GDDR6 channel are each one `channel` here.
struct organisation {
  int data_bits = 64;   ///< width of the channel's data bus
  int burst_beats = 8;  ///< beats of one column access
  int ranks = 1;        ///< ranks (or stack IDs) sharing the bus, over all pseudo-channels
  /// Pseudo-channels behind one command bus and one queue, each with a data bus of its own: rank r belongs to
  /// pseudo-channel r / (ranks / pseudo_channels). 1 where a pseudo-channel is modelled as a channel of its own.
  int pseudo_channels = 1;
  int bank_groups = 4;  ///< per rank
  int banks_per_group = 4;
  std::int64_t rows = 65536;  ///< per bank
  int columns = 128;          ///< column accesses (bursts) a row
  int payload_bytes = 0;      ///< data of one burst that carries metadata too (LPDDR6: 32 of 36 bytes); 0: all of it
  int access_bytes() const { return payload_bytes != 0 ? payload_bytes : data_bits * burst_beats / 8; }
  int banks_per_rank() const { return bank_groups * banks_per_group; }
  std::int64_t row_bytes() const { return std::int64_t{columns} * access_bytes(); }
  std::int64_t capacity_bytes() const { return row_bytes() * rows * banks_per_rank() * ranks; }
};

/// Timing constraints in command-clock cycles (CK), JEDEC names without the leading n/t. Zero: the constraint does not
/// exist.
struct timing {
  std::int64_t tck_fs = 625'000;  ///< clock period in femtoseconds
  int BL = 4;                     ///< cycles the data bus is busy with one burst
  int CL = 22, CWL = 16;          ///< read and write latency
  int RCDRD = 22, RCDWR = 22;     ///< ACT to RD, ACT to WR
  int RP = 22, RAS = 52, RC = 74;
  int RPab = 0;                    ///< PREA to ACT where it differs from RP (LPDDR)
  int CCD_S = 4, CCD_L = 8;        ///< RD to RD, other / same bank group
  int CCD_S_WR = 4, CCD_L_WR = 8;  ///< WR to WR
  int CCD_R = 0;                   ///< RD to RD (WR to WR) of different stack IDs (HBM3)
  int RRD_S = 4, RRD_L = 8, FAW = 34;
  int WTR_S = 4, WTR_L = 12;    ///< end of write data to RD
  int RTP = 12;                 ///< RD to PRE
  int WR = 24;                  ///< end of write data to PRE
  int RTW = 0;                  ///< RD to WR command; 0: CL + BL + 2 - CWL. See read_to_write()
  int CS = 2;                   ///< bus idle between bursts of different ranks
  int PPD = 0;                  ///< PRE to PRE
  int RFC = 560, REFI = 12480;  ///< all-bank refresh
  int RFCpb = 0, REFIpb = 0;    ///< per-bank (same-bank) refresh; RFCpb 0: the standard has none
  int RREFD = 0;                ///< REFpb to REFpb or ACT of another bank
  /// Banks of a rank that one REFpb refreshes (LPDDR5: 2). It names the first; the others lie banks / refresh_banks
  /// further on.
  int refresh_banks = 1;
  bool same_bank_refresh =
      false;       ///< one REFpb refreshes its bank in every bank group (DDR5 REFsb); its bank_group is -1
  int ACT_CK = 1;  ///< cycles an ACT occupies the command bus (2: HBM row bus, LPDDR5 ACT-1/ACT-2)
  int CAS_CK = 1;  ///< cycles a RD or WR occupies the command bus (2: DDR5)
  bool dual_command_bus = false;  ///< row and column commands have buses of their own (HBM)
  /// RTW, or what the data bus needs where that is more: write data follow all read data. (A set may allow a write
  /// whose data come before those of the last read, and would meet those of the read before it.)
  int read_to_write() const {
    const int data = CL + BL - CWL, wanted = RTW != 0 ? RTW : data + 2;
    return wanted > data ? wanted : data;
  }
  /// REFpb commands that refresh every bank of a rank once.
  int refreshes_a_round(const organisation& o) const {
    return same_bank_refresh ? o.banks_per_group : o.banks_per_rank() / refresh_banks;
  }
  /// Whether the REFpb that names this bank (group -1 with same_bank_refresh) refreshes that one of its rank.
  bool refreshes(const organisation& o, int named_group, int named_bank, int group, int bank) const {
    if (same_bank_refresh) return bank == named_bank;
    const int step = o.banks_per_rank() / refresh_banks;
    return (group * o.banks_per_group + bank) % step == (named_group * o.banks_per_group + named_bank) % step;
  }
};

/// Energy of one channel. Commands in picojoules, background in milliwatts.
struct energy_table {
  double act_pj = 0;                       ///< ACT and its PRE, one row of the channel
  double read_pj = 0, write_pj = 0;        ///< core energy of one column access
  double io_read_pj = 0, io_write_pj = 0;  ///< interface energy of one column access
  double refresh_pj = 0;                   ///< one REFab
  double refresh_pb_pj = 0;                ///< one REFpb
  double background_mw = 0;                ///< standby with all banks idle
  double active_mw = 0;                    ///< in addition, for each rank with an open row
};

/// Where a value comes from: kept for `memwall describe` and the docs.
struct provenance {
  std::string source;
  /// standard: read in the standard. datasheet: a vendor's. paper: measured and published. simulator: another
  /// simulator's file. scaled: derived from a neighbour's value. unverified: repeated from elsewhere, no primary source
  /// was read. user: no source given.
  std::string confidence;
  std::string value;  ///< as written in the file
};

struct standard {
  std::string name;  ///< "DDR5-4800"
  std::string description;
  organisation org;
  timing t;
  energy_table energy;
  double data_rate_mbps = 0;         ///< per pin
  std::string default_map;           ///< bit-field expression, see address_map.h
  std::string refresh = "all_bank";  ///< the mode the standard's users run
  int queue =
      32;  ///< entries of a controller's read and write queue that a stream needs to hide row changes at this speed
  int channels_per_device = 1;  ///< channels of one stack, chip or DIMM (HBM3 stack: 32 pseudo-channels; DDR5 DIMM: 2)
  std::map<std::string, provenance> sources;  ///< by key: "timing.CL", "energy.act", "organisation.rows"
  /// Peak bytes a second of one channel: an access every max(BL, CCD_S) cycles on each pseudo-channel.
  double peak_bytes_per_s() const {
    const int gap = t.BL > t.CCD_S ? t.BL : t.CCD_S;
    return org.pseudo_channels * org.access_bytes() / (gap * static_cast<double>(t.tck_fs) * 1e-15);
  }
};

/// All installed standards, by name. Reads hw/dram/standards from the source tree, from the installed data directory,
/// or from $MEMWALL_DATA.
std::vector<std::string> standard_names();
/// Throws input_error (nearest name) when there is none, or when its file is wrong. `name` may be a path to a YAML
/// file.
standard load_standard(const std::string& name);
/// With some values replaced, as a file with `base: name` and the map `changes` in it would: {timing: {FAW: 32}}.
standard load_standard(const std::string& name, const config::node& changes);

}  // namespace memwall::dram
