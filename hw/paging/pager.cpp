// SPDX-License-Identifier: Apache-2.0
#include "hw/paging/pager.h"

#include <algorithm>
#include <deque>
#include <map>

#include "hw/paging/page_table.h"
#include "hw/ports/ring.h"

namespace memwall {

const param_table<pager_params>& pager_param_table() {
  static const auto table =
      param_table<pager_params>("pager")
          .add("device", &pager_params::device, "memory that holds what was touched last")
          .add("host", &pager_params::host, "memory that everything comes from and goes back to")
          .add("size", &pager_params::size, "of the managed memory; its home is the upper end of the host's memory")
          .range(byte_size(65536), byte_size(1e14))
          .add("device_size", &pager_params::device_size,
               "upper end of the device's memory that pages may use; 0 B: all of it")
          .range(byte_size(0), byte_size(1e14))
          .add("block", &pager_params::block, "unit of eviction",
               "2 MiB: VA blocks and root chunks of NVIDIA's open kernel modules (uvm_va_block.h, uvm_pmm_gpu.c)")
          .range(byte_size(4096), byte_size(2.0 * (1ull << 30)))
          .add("page", &pager_params::page, "unit of residency: a fault brings that much",
               "64 KiB: Ganguly et al., ISCA 2019")
          .range(byte_size(4096), byte_size(2.0 * (1ull << 30)))
          .add("prefetch_threshold", &pager_params::prefetch_threshold,
               "share of a subtree of a block's pages above which the rest of it comes along; 1: no prefetching",
               "0.51: uvm_perf_prefetch_threshold of NVIDIA's open kernel modules")
          .range(0.5, 1.0)
          .add("fault_latency", &pager_params::fault_latency,
               "of a batch of faults: interrupt, driver, replay; copies come on top",
               "estimate, towards the upper end of the 20 to 50 us that far faults are reported to take (Zheng et al., "
               "HPCA 2016); 45 us is what UVM studies on Pascal assume (Ganguly et al., ISCA 2019)")
          .range(duration(0), duration(1e-1))
          .add("batch", &pager_params::batch, "faults that the driver takes at once",
               "256: uvm_perf_fault_batch_count of NVIDIA's open kernel modules")
          .range(std::int64_t{1}, std::int64_t{1} << 20);
  return table;
}

void check_pager_params(const pager_params& p, problem_list& problems, const std::string& where,
                        const std::string& path) {
  const std::int64_t block = to_bytes(p.block), page = to_bytes(p.page);
  const std::int64_t pages = page > 0 ? block / page : 0;
  if (block % page != 0 || pages < 1 || pages > 64 || (pages & (pages - 1)) != 0)
    problems.add({where, path + ".block",
                  "got " + std::to_string(block) + " B with pages of " + std::to_string(page) + " B",
                  "1, 2, 4, ... or 64 pages a block", ""});
  if (p.device.empty()) problems.add({where, path + ".device", "is missing", "a memory module", ""});
  if (p.host.empty()) problems.add({where, path + ".host", "is missing", "a memory module", ""});
}

struct pager::impl {
  struct job {  // a transfer of the initiator
    transfer* t = nullptr;
    transfer_info* i = nullptr;
    int pieces = 0;
    bool failed = false;
    ps_t arrived = 0, first_data = never;
  };
  struct piece {  // its part in one block
    job* of = nullptr;
    std::int64_t block = 0;
    std::uint64_t offset = 0, bytes = 0, pages = 0;
  };
  struct copy {
    std::uint64_t from = 0, to = 0, bytes = 0;
    bool out = false;
  };

  impl(pager& m, const pager_params& params, int source) : self(m), p(params), source_id(source) {
    block_bytes = static_cast<std::uint64_t>(to_bytes(p.block));
    page_bytes = static_cast<std::uint64_t>(to_bytes(p.page));
    size = static_cast<std::uint64_t>(to_bytes(p.size)) / block_bytes * block_bytes;
    run_on(wake, "run", [this] { service(); });
  }

  pager& self;
  pager_params p;
  int source_id;
  std::uint64_t block_bytes = 0, page_bytes = 0, size = 0;
  std::uint64_t device_base = 0, device_bytes = 0, host_base = 0;
  std::unique_ptr<page_table> table;
  std::vector<int> in_use;  // by block: pieces in the device that may not lose their frame

  std::deque<job> jobs;
  std::deque<piece> pieces;
  std::vector<job*> spare_jobs;
  std::vector<piece*> spare_pieces;
  ring<piece*> ready;    // pages there, not yet sent
  ring<piece*> waiting;  // faulted, not in the batch
  ring<piece*> batch;    // what the driver works on
  ring<copy> copies;     // of the block being serviced
  bool driver_busy = false, copy_reading = false, copy_to_send = false, starved = false;
  std::int64_t bringing = -1;
  std::uint64_t bringing_pages = 0;
  ps_t batch_begun = 0, copy_begun = 0, batch_copied = 0;
  sc_core::sc_event wake;

  pager_report r;
  latency_histogram wait;
  probe<bool> fault_probe{"servicing_faults"};
  probe<unsigned> waiting_probe{"waiting"};

  void start() {
    table = std::make_unique<page_table>(static_cast<std::int64_t>(size / block_bytes),
                                         static_cast<int>(device_bytes / block_bytes),
                                         static_cast<int>(block_bytes / page_bytes), p.prefetch_threshold);
    in_use.assign(size / block_bytes, 0);
  }

  // ---- accesses
  // ---------------------------------------------------------------------------------------------------------

  bool request(transfer& t) {
    if (table == nullptr) start();
    const std::uint64_t bytes = t.get_data_length();
    ++r.transfers;
    if (bytes > size || t.get_address() > size - bytes) {
      ++r.errors;
      t.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      self.upstream.respond(t);
      return true;
    }
    job* j = take(jobs, spare_jobs);
    j->t = &t;
    j->i = &info(t);
    j->arrived = now_ps();
    for (std::uint64_t done = 0; done < bytes;) {
      piece* x = take(pieces, spare_pieces);
      const std::uint64_t a = t.get_address() + done;
      x->of = j;
      x->block = static_cast<std::int64_t>(a / block_bytes);
      x->offset = a % block_bytes;
      x->bytes = std::min(bytes - done, block_bytes - x->offset);
      const std::uint64_t first = x->offset / page_bytes, last = (x->offset + x->bytes - 1) / page_bytes;
      for (std::uint64_t k = first; k <= last; ++k) x->pages |= std::uint64_t{1} << k;
      done += x->bytes;
      ++j->pieces;
      if ((x->pages & ~table->resident(x->block)) == 0) {
        r.hit_bytes += static_cast<std::int64_t>(x->bytes);
        make_ready(x);
      } else {
        r.fault_bytes += static_cast<std::int64_t>(x->bytes);
        waiting.push_back(x);
      }
    }
    waiting_probe.set(static_cast<unsigned>(waiting.size()));
    if (!driver_busy && !waiting.empty()) begin_batch();
    send();
    return true;
  }

  void make_ready(piece* x) {
    ++in_use[static_cast<std::size_t>(x->block)];
    ready.push_back(x);
  }

  void send() {
    while (self.downstream.can_send()) {
      if (copy_to_send) {
        copy_to_send = false;
        const copy& c = copies.front();
        transfer& t = copy_reading ? self.downstream.read(c.from, c.bytes) : self.downstream.write(c.to, c.bytes);
        transfer_info& i = info(t);
        i.source = source_id;
        i.carries = traffic::control;
        self.downstream.send(t);
        continue;
      }
      if (ready.empty()) return;
      piece* x = ready.front();
      ready.pop_front();
      const std::uint64_t at =
          device_base + static_cast<std::uint64_t>(table->frame(x->block)) * block_bytes + x->offset;
      transfer& t = x->of->t->is_write() ? self.downstream.write(at, x->bytes) : self.downstream.read(at, x->bytes);
      transfer_info& i = info(t);
      i.source = x->of->i->source;
      i.op = x->of->i->op;
      i.carries = x->of->i->carries;
      i.pace = x->of->i->pace;
      i.attach_hop(&self, x);
      self.downstream.send(t);
    }
  }

  void complete(transfer& t) {
    auto* x = static_cast<piece*>(info(t).hop(&self));
    if (x == nullptr) {
      copied(t.is_response_error());
      return;
    }
    job& j = *x->of;
    transfer_info& i = info(t);
    j.failed = j.failed || t.is_response_error();
    j.first_data = std::min(j.first_data, i.first_data);
    --in_use[static_cast<std::size_t>(x->block)];
    spare_pieces.push_back(x);
    if (--j.pieces == 0) {
      // The time since the last page was there (or all of it) is the device's and the way's to it.
      j.i->book(i.parts, now_ps(), stall::bus_transfer);
      j.i->first_data = j.first_data;
      j.t->set_response_status(j.failed ? tlm::TLM_GENERIC_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
      transfer& asked = *j.t;
      spare_jobs.push_back(&j);
      self.upstream.respond(asked);
    }
    if (starved) {
      starved = false;
      next_block();
    }
    send();
  }

  // ---- the driver
  // -------------------------------------------------------------------------------------------------------

  void begin_batch() {
    driver_busy = true;
    fault_probe.set(true);
    ++r.batches;
    batch_begun = now_ps();
    batch_copied = 0;
    r.fault_time += to_ps(p.fault_latency);
    wake.notify(to_sc_time(to_ps(p.fault_latency)));
  }

  // The faults of the batch have been taken and looked at.
  void service() {
    // A page faults once, however many accesses wait for it.
    std::int64_t taken = 0;
    std::map<std::int64_t, std::uint64_t> faulted;  // pages by block
    while (!waiting.empty() && taken < p.batch) {
      piece* x = waiting.front();
      waiting.pop_front();
      std::uint64_t& seen = faulted[x->block];
      const std::uint64_t fresh = x->pages & ~table->resident(x->block) & ~seen;
      taken += __builtin_popcountll(fresh);
      seen |= fresh;
      batch.push_back(x);
    }
    waiting_probe.set(static_cast<unsigned>(waiting.size()));
    next_block();
    send();
  }

  void next_block() {
    while (!batch.empty()) {
      const std::int64_t block = batch.front()->block;
      std::uint64_t wanted = 0;
      for (std::size_t k = 0; k < batch.size(); ++k)
        if (batch[k]->block == block) wanted |= batch[k]->pages;
      wanted &= ~table->resident(block);
      if (wanted == 0) {
        release(block);
        continue;
      }
      const auto room =
          table->make_room(block, [this](std::int64_t b) { return in_use[static_cast<std::size_t>(b)] == 0; });
      if (room.frame < 0) {
        starved = true;  // until an access in the device is over
        return;
      }
      bringing = block;
      bringing_pages = table->to_bring(block, wanted);
      r.faulted_pages += static_cast<std::uint64_t>(__builtin_popcountll(wanted));
      r.prefetched_pages += static_cast<std::uint64_t>(__builtin_popcountll(bringing_pages & ~wanted));
      const std::uint64_t frame = device_base + static_cast<std::uint64_t>(room.frame) * block_bytes;
      if (room.evicted >= 0) {
        ++r.evicted_blocks;
        add_copies(room.pages, frame, host_base + static_cast<std::uint64_t>(room.evicted) * block_bytes, true);
      }
      add_copies(bringing_pages, host_base + static_cast<std::uint64_t>(block) * block_bytes, frame, false);
      copy_begun = now_ps();
      begin_copy();
      return;
    }
    if (!waiting.empty()) {
      begin_batch();
      return;
    }
    driver_busy = false;
    fault_probe.set(false);
  }

  // One copy for each run of neighbouring pages.
  void add_copies(std::uint64_t pages, std::uint64_t from, std::uint64_t to, bool out) {
    while (pages != 0) {
      const int first = __builtin_ctzll(pages);
      const std::uint64_t rest = ~(pages >> first);
      const int count = rest == 0 ? 64 - first : std::min(__builtin_ctzll(rest), 64 - first);
      const std::uint64_t offset = static_cast<std::uint64_t>(first) * page_bytes,
                          bytes = static_cast<std::uint64_t>(count) * page_bytes;
      copies.push_back({from + offset, to + offset, bytes, out});
      (out ? r.migrated_out : r.migrated_in) += static_cast<std::int64_t>(bytes);
      pages &= count + first >= 64 ? (std::uint64_t{1} << first) - 1 : ~(((std::uint64_t{1} << count) - 1) << first);
    }
  }

  void begin_copy() { copy_reading = copy_to_send = true; }

  void copied(bool error) {
    if (error)
      SC_REPORT_FATAL("/memwall/pager",
                      "a migration came back with an error response: the memories do not lie where the pager was told");
    if (copy_reading) {
      copy_reading = false;
      copy_to_send = true;
      send();
      return;
    }
    copies.pop_front();
    if (!copies.empty()) {
      begin_copy();
      send();
      return;
    }
    r.copy_time += now_ps() - copy_begun;
    batch_copied += now_ps() - copy_begun;
    table->arrived(bringing, bringing_pages);
    release(bringing);
    next_block();
    send();
  }

  // The pages of a block are there: its accesses go on.
  void release(std::int64_t block) {
    const std::size_t n = batch.size();
    for (std::size_t k = 0; k < n; ++k) {
      piece* x = batch.front();
      batch.pop_front();
      if (x->block != block) {
        batch.push_back(x);
        continue;
      }
      job& j = *x->of;
      stall_stack parts;
      parts[stall::page_fault] = to_ps(p.fault_latency);
      parts[stall::link] = batch_copied;
      j.i->book(parts, now_ps(), stall::page_fault);
      wait.add(now_ps() - j.arrived);
      make_ready(x);
    }
  }

  template <class T>
  static T* take(std::deque<T>& store, std::vector<T*>& spare) {
    if (spare.empty()) {
      store.emplace_back();
      return &store.back();
    }
    T* x = spare.back();
    spare.pop_back();
    *x = T{};
    return x;
  }
};

pager::pager(const sc_core::sc_module_name& name, const pager_params& p, int source)
    : sc_module(name),
      upstream("upstream"),
      downstream("downstream"),
      m_impl(std::make_unique<impl>(*this, p, source)) {
  impl* m = m_impl.get();
  upstream.on_request = [m](transfer& t) { return m->request(t); };
  downstream.on_ready = [m] { m->send(); };
  downstream.on_complete = [m](transfer& t) { m->complete(t); };
}
pager::~pager() = default;

void pager::attach_device(std::uint64_t base, std::uint64_t size) {
  const auto wanted = static_cast<std::uint64_t>(to_bytes(m_impl->p.device_size));
  m_impl->device_bytes = (wanted == 0 ? size : std::min(size, wanted)) / m_impl->block_bytes * m_impl->block_bytes;
  m_impl->device_base = base + (size - m_impl->device_bytes);
}

void pager::attach_host(std::uint64_t base, std::uint64_t size) {
  m_impl->host_base = base + (size - m_impl->size);
}

pager_report pager::report() const {
  pager_report r = m_impl->r;
  r.wait = summarize(m_impl->wait);
  r.wait_histogram = m_impl->wait.bins();
  return r;
}

probe_list pager::probes() {
  return {&m_impl->fault_probe, &m_impl->waiting_probe};
}

}  // namespace memwall
