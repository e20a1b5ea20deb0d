// SPDX-License-Identifier: Apache-2.0
#include "platforms/values/payload.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <stdexcept>
#include <unordered_map>

namespace memwall::platforms {
namespace {

/// Bytes by address, a page at a time; of each whether it is there, and whether no memory has it yet.
class byte_store {
 public:
  void put(std::uint64_t address, const unsigned char* data, std::int64_t bytes, bool own) {
    for (std::int64_t i = 0; i < bytes; ++i) {
      cell& c = at(address + static_cast<std::uint64_t>(i));
      // What was computed here and has not left is newer than what a memory holds.
      if (!own && c.state == fresh) continue;
      c = {data[i], own ? fresh : clean};
    }
  }
  bool get(std::uint64_t address, unsigned char* data, std::int64_t bytes) const {
    for (std::int64_t i = 0; i < bytes; ++i) {
      const cell* c = find(address + static_cast<std::uint64_t>(i));
      if (c == nullptr || c->state == absent) return false;
      data[i] = c->value;
    }
    return true;
  }
  void sent(std::uint64_t address, std::int64_t bytes) {
    for (std::int64_t i = 0; i < bytes; ++i)
      if (cell& c = at(address + static_cast<std::uint64_t>(i)); c.state == fresh) c.state = clean;
  }
  /// Calls f(address, bytes, count) for runs of bytes that no memory has.
  template <class F>
  void for_each_fresh(std::uint64_t address, std::int64_t bytes, F&& f) {
    std::vector<unsigned char> run;
    for (std::int64_t i = 0; i <= bytes; ++i) {
      const cell* c = i < bytes ? find(address + static_cast<std::uint64_t>(i)) : nullptr;
      if (c != nullptr && c->state == fresh) {
        run.push_back(c->value);
      } else if (!run.empty()) {
        f(address + static_cast<std::uint64_t>(i) - run.size(), run);
        run.clear();
      }
    }
  }

 private:
  enum status : unsigned char { absent, clean, fresh };
  struct cell {
    unsigned char value = 0;
    status state = absent;
  };
  static constexpr std::uint64_t page_bytes = 4096;
  cell& at(std::uint64_t address) { return m_pages[address / page_bytes][address % page_bytes]; }
  const cell* find(std::uint64_t address) const {
    const auto found = m_pages.find(address / page_bytes);
    return found == m_pages.end() ? nullptr : &found->second[address % page_bytes];
  }
  std::unordered_map<std::uint64_t, std::array<cell, page_bytes>> m_pages;
};

}  // namespace

platform_description keep_bytes(platform_description p) {
  for (auto& d : p.modules)
    if (d.type == "dram") d.tree.set("functional", "true", "--payload");
  return p;
}

/// One core's side.
class payload_run::core final : public core_data {
 public:
  core(payload_run& of, stream_core& hardware, std::size_t device)
      : m_run(of), m_hardware(hardware), m_device(device) {}

  void begin(const operation& op) override {
    m_op = &m_run.m_ops.at(op.id);
    m_buffers.clear();
    m_reading.clear();
    m_late.clear();
    m_computed = false;
    for (const auto& u : m_op->uses) {
      if (u.what != trace::access::read) continue;
      const home& h = home_of(u);
      if (in_arrays(h)) continue;
      for (const auto& other : m_run.m_cores)
        if (other.get() != this)
          other->m_store.for_each_fresh(h.address + static_cast<std::uint64_t>(u.offset), u.bytes,
                                        [&](std::uint64_t address, std::vector<unsigned char>& bytes) {
                                          move(tlm::TLM_WRITE_COMMAND, address, bytes.data(), bytes.size());
                                          m_store.put(address, bytes.data(), static_cast<std::int64_t>(bytes.size()),
                                                      false);
                                          other->m_store.sent(address, static_cast<std::int64_t>(bytes.size()));
                                        });
    }
  }

  unsigned char* for_read(std::uint64_t address, std::int64_t bytes) override {
    m_buffers.emplace_back(static_cast<std::size_t>(bytes), static_cast<unsigned char>(0xa5));
    m_reading[m_buffers.back().data()] = {address, &m_buffers.back()};
    return m_buffers.back().data();
  }

  unsigned char* for_write(std::uint64_t address, std::int64_t bytes) override {
    m_buffers.emplace_back(static_cast<std::size_t>(bytes), static_cast<unsigned char>(0));
    unsigned char* data = m_buffers.back().data();
    count(bytes, m_run.m_facts.bytes_written);
    if (!m_computed && writes(address, bytes)) {
      m_late.emplace_back(address, bytes);
      m_run.m_facts.late_bytes += bytes;
    } else if (m_store.get(address, data, bytes)) {
      m_store.sent(address, bytes);
    } else {
      // Pushed out of the cache: the timing model knows how many bytes, not which.
      move(tlm::TLM_READ_COMMAND, address, data, static_cast<std::size_t>(bytes));
    }
    return data;
  }

  void arrived(const unsigned char* data) override {
    const auto found = m_reading.find(data);
    const auto bytes = static_cast<std::int64_t>(found->second.second->size());
    count(bytes, m_run.m_facts.bytes_read);
    m_store.put(found->second.first, data, bytes, false);
    m_reading.erase(found);
  }

  void operands_there() override {
    if (m_computed) return;
    m_computed = true;
    uses bytes(*this);
    const pass_facts pass = pass_of(*m_op, m_run.m_workload, *m_run.m_tokens, false);
    m_run.m_values.execute(*m_op, m_run.m_header, pass, bytes);
    if (m_op->kind == trace::op_kind::sample) {
      std::vector<float> logits(static_cast<std::size_t>(m_run.m_model.vocab));
      m_run.m_values.activations().decode(bytes.read(0), m_run.m_model.vocab, 1, logits.data());
      m_run.m_facts.tokens.push_back(arg_max(logits.data(), m_run.m_model.vocab));
      m_run.m_facts.logits.push_back(std::move(logits));
    }
    bytes.keep();
    for (const auto& [address, count_of] : m_late) {
      std::vector<unsigned char> data(static_cast<std::size_t>(count_of));
      if (!m_store.get(address, data.data(), count_of)) continue;
      move(tlm::TLM_WRITE_COMMAND, address, data.data(), data.size());
      m_store.sent(address, count_of);
    }
    m_late.clear();
  }

  /// Bytes of a memory without time, along the core's own way to it.
  void move(tlm::tlm_command command, std::uint64_t address, unsigned char* data, std::size_t bytes) {
    constexpr std::size_t piece = 1 << 16;
    for (std::size_t done = 0; done < bytes; done += piece) {
      const std::size_t n = std::min(piece, bytes - done);
      transfer& t = m_hardware.port.make(command, address + done, n, data + done);
      t.acquire();
      const unsigned moved = m_hardware.port.debug(t);
      t.release();
      if (moved != n) throw std::runtime_error("a memory does not keep the bytes of payload mode (it must be a dram)");
    }
  }

 private:
  /// Operands of the operator by use.
  class uses final : public operand_bytes {
   public:
    explicit uses(core& c) : m_core(c), m_held(c.m_op->uses.size()) {}
    const unsigned char* read(std::size_t use) override {
      const trace::tensor_use& u = m_core.m_op->uses[use];
      const home& h = m_core.home_of(u);
      if (m_core.in_arrays(h)) return nullptr;
      auto& held = m_held[use];
      if (!held.empty()) return held.data();
      held.resize(static_cast<std::size_t>(u.bytes));
      const std::uint64_t address = h.address + static_cast<std::uint64_t>(u.offset);
      if (m_core.beside(h, u))
        m_core.move(tlm::TLM_READ_COMMAND, address, held.data(), held.size());
      else if (!m_core.m_store.get(address, held.data(), u.bytes))
        throw std::runtime_error("operands of '" + m_core.m_op->name +
                                 "' never came: " + m_core.m_run.m_header.tensors[u.tensor].name);
      return held.data();
    }
    unsigned char* write(std::size_t use, std::int64_t bytes) override {
      m_written.emplace_back(use, std::vector<unsigned char>(static_cast<std::size_t>(bytes)));
      return m_written.back().second.data();
    }
    /// Results are on chip from now on.
    void keep() {
      for (const auto& [use, bytes] : m_written) {
        const trace::tensor_use& u = m_core.m_op->uses[use];
        m_core.m_store.put(m_core.home_of(u).address + static_cast<std::uint64_t>(u.offset), bytes.data(),
                           static_cast<std::int64_t>(bytes.size()), true);
      }
    }

   private:
    core& m_core;
    std::vector<std::vector<unsigned char>> m_held;
    std::list<std::pair<std::size_t, std::vector<unsigned char>>> m_written;
  };

  const home& home_of(const trace::tensor_use& u) const {
    const auto& where = *m_run.m_where;
    return m_op->kind == trace::op_kind::embed ? where.rows_of(u.tensor, m_device) : where.of(u.tensor, m_device);
  }
  const memory_slot& slot_of(const home& h) const { return m_run.m_where->slots()[static_cast<std::size_t>(h.memory)]; }
  bool in_arrays(const home& h) const { return slot_of(h).in_core; }
  bool beside(const home& h, const trace::tensor_use& u) const {
    const auto& by = slot_of(h).computed_by;
    const std::string name = m_hardware.name();
    return m_run.m_header.tensors[u.tensor].cls != trace::tensor_class::activations &&
           std::any_of(by.begin(), by.end(), [&](const std::string& c) { return name == c; });
  }
  /// Whether the bytes are a result of the operator.
  bool writes(std::uint64_t address, std::int64_t bytes) const {
    return std::any_of(m_op->uses.begin(), m_op->uses.end(), [&](const trace::tensor_use& u) {
      const std::uint64_t begin = home_of(u).address + static_cast<std::uint64_t>(u.offset);
      return u.what == trace::access::write && address >= begin &&
             address + static_cast<std::uint64_t>(bytes) <= begin + static_cast<std::uint64_t>(u.bytes);
    });
  }
  void count(std::int64_t bytes, std::int64_t& to) {
    ++m_run.m_facts.transfers;
    to += bytes;
  }

  payload_run& m_run;
  stream_core& m_hardware;
  std::size_t m_device;
  const trace::op* m_op = nullptr;
  bool m_computed = false;
  byte_store m_store;
  std::list<std::vector<unsigned char>> m_buffers;
  std::unordered_map<const unsigned char*, std::pair<std::uint64_t, const std::vector<unsigned char>*>> m_reading;
  std::vector<std::pair<std::uint64_t, std::int64_t>> m_late;
};

/// The trace, remembered as it passes.
class payload_run::recording final : public trace::op_stream {
 public:
  recording(std::unique_ptr<trace::op_stream> plain, payload_run& run) : m_plain(std::move(plain)), m_run(run) {}
  const trace::header& header() const override { return m_plain->header(); }
  std::int64_t size() const override { return m_plain->size(); }
  bool next(trace::op& out) override {
    if (!m_plain->next(out)) return false;
    m_run.m_ops[out.id] = out;
    return true;
  }

 private:
  std::unique_ptr<trace::op_stream> m_plain;
  payload_run& m_run;
};

payload_run::payload_run(machine& values, const model& m, const trace::workload& w, std::vector<std::int32_t> tokens,
                         expert_routes routes)
    : m_values(values),
      m_model(m),
      m_workload(w),
      m_tokens(std::make_shared<const std::vector<std::int32_t>>(std::move(tokens))),
      m_routes(std::move(routes)) {}
payload_run::~payload_run() = default;

std::unique_ptr<trace::op_stream> payload_run::source() {
  auto out = std::make_unique<recording>(
      with_tokens(trace::generate(m_model, m_workload), m_model, m_tokens, false, &m_routes), *this);
  m_header = out->header();
  return out;
}

void payload_run::attach(system& hw, const placement& where) {
  m_where = &where;
  std::map<std::string, core*> by_name;
  for (const auto& group : where.groups()) {
    if (group.cores.size() > 1 && !group.pipeline)
      throw input_error(problem{"--payload", "", "devices that share a product do not carry values",
                                "a platform with one device, or layers shared out (parallel: pipeline)", ""});
    for (std::size_t d = 0; d < group.cores.size(); ++d) {
      core*& known = by_name[group.cores[d]];
      if (known != nullptr) continue;
      stream_core& hardware = hw.core(group.cores[d]);
      m_cores.push_back(std::make_unique<core>(*this, hardware, d));
      known = m_cores.back().get();
      hardware.carry(known);
    }
  }
  // The weights lie where they belong before time begins.
  trace::op op;
  const auto stream = source();
  std::map<std::pair<std::uint32_t, std::uint64_t>, bool> loaded;
  while (stream->next(op)) {
    const executor_group& group = where.executors(where.rule(op));
    const std::size_t device = group.pipeline ? where.pipeline_stage(op, group.cores.size()) : 0;
    core& by = *by_name.at(group.cores[device]);
    for (const auto& u : op.uses) {
      const trace::tensor& t = m_header.tensors[u.tensor];
      if (t.cls != trace::tensor_class::weights) continue;
      const home& h = op.kind == trace::op_kind::embed ? where.rows_of(u.tensor, device) : where.of(u.tensor, device);
      if (where.slots()[static_cast<std::size_t>(h.memory)].in_core || loaded[{u.tensor, h.address}]) continue;
      if (h.scale != 1)
        throw input_error(problem{"--payload", "--dtype", "'" + t.name + "' is held wider than it is",
                                  "weights in the type of the units, such as fp16", ""});
      loaded[{u.tensor, h.address}] = true;
      const std::int64_t row = m_values.row_bytes(t.name), rows = m_values.weight_named(t.name).rows;
      std::vector<unsigned char> bytes(static_cast<std::size_t>(row * rows));
      m_values.encode(t.name, 0, rows, bytes.data());
      by.move(tlm::TLM_WRITE_COMMAND, h.address, bytes.data(), bytes.size());
    }
  }
}

}  // namespace memwall::platforms
