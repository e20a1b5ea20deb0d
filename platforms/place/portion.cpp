// SPDX-License-Identifier: Apache-2.0
#include "platforms/place/portion.h"

#include <algorithm>

namespace memwall::platforms {
namespace {

using trace::op_kind;
using trace::shard;
using trace::tensor_class;

__extension__ using wide = __int128;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// An even cut of `total` equal things.
portion even(std::int64_t total, std::int64_t devices) {
  return total > 0 ? portion{ceil_div(total, devices), total} : portion{1, devices};
}

portion query_heads(const trace::op& op, const device_heads& mine) {
  return {mine.queries, op.heads};
}

portion activation_of_heads(const trace::op& op, trace::access what, const device_heads& mine) {
  const portion kv{mine.kv, op.kv_heads};
  switch (op.kind) {
    case op_kind::norm:  // of queries and keys
      return {mine.queries + mine.kv, op.heads + op.kv_heads};
    case op_kind::rope:  // takes queries, keys and values, leaves queries
      if (what == trace::access::read) return {mine.queries + 2 * mine.kv, op.heads + 2 * op.kv_heads};
      return query_heads(op, mine);
    case op_kind::elementwise:  // appends keys and values to the cache
      return kv;
    default:
      return query_heads(op, mine);
  }
}

}  // namespace

std::int64_t portion::count(std::int64_t total) const {
  return whole() ? total : static_cast<std::int64_t>((static_cast<wide>(total) * part + of - 1) / of);
}

std::int64_t portion::start(std::int64_t offset) const {
  return whole() ? offset : static_cast<std::int64_t>(static_cast<wide>(offset) * part / of);
}

device_heads heads_on_device(std::int64_t heads, std::int64_t kv_heads, std::int64_t devices) {
  const std::int64_t group = ceil_div(heads, kv_heads);  // query heads that look at one KV head
  if (kv_heads >= devices) {
    const std::int64_t kv = ceil_div(kv_heads, devices);
    return {std::min(heads, kv * group), kv};
  }
  const std::int64_t copies = devices / kv_heads;  // of the KV head that has fewest
  return {std::max<std::int64_t>(1, ceil_div(group, copies)), 1};
}

portion work_of(const trace::op& op, std::int64_t devices) {
  if (devices <= 1 || op.shard == shard::none) return {};
  if (op.heads <= 0 || op.kv_heads <= 0)
    return even(op.shard == shard::columns ? op.n : op.shard == shard::rows ? op.k : 0, devices);
  const device_heads mine = heads_on_device(op.heads, op.kv_heads, devices);
  // Outputs of the product that makes queries, keys and values.
  if (op.shard == shard::columns) return {mine.queries + 2 * mine.kv, op.heads + 2 * op.kv_heads};
  return query_heads(op, mine);
}

portion part_of(const trace::op& op, const trace::tensor& tensor, trace::access what, std::int64_t devices) {
  const bool read = what == trace::access::read;
  if (devices <= 1) return {};
  switch (op.shard) {
    case shard::none:
      return {};
    case shard::columns:
      if (tensor.cls == tensor_class::weights) return work_of(op, devices);
      return tensor.cls == tensor_class::activations && !read ? work_of(op, devices) : portion();
    case shard::rows:
      // The bias is added to the sum, not to each device's part of it.
      if (tensor.cls == tensor_class::weights)
        return tensor.shape.size() == 2 && tensor.shape[0] == 1 ? portion() : work_of(op, devices);
      return tensor.cls == tensor_class::activations && read ? work_of(op, devices) : portion();
    case shard::experts:
      return tensor.cls == tensor_class::weights ? portion{1, devices} : portion();
    case shard::heads:
      break;
  }
  if (op.heads <= 0 || op.kv_heads <= 0) return {1, devices};
  const device_heads mine = heads_on_device(op.heads, op.kv_heads, devices);
  if (tensor.cls == tensor_class::kv_cache) return {mine.kv, op.kv_heads};
  if (tensor.cls == tensor_class::activations) return activation_of_heads(op, what, mine);
  // Gains of a norm over a head serve all heads.
  return op.kind == op_kind::norm ? portion() : query_heads(op, mine);
}

}  // namespace memwall::platforms
