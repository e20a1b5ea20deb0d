// SPDX-License-Identifier: Apache-2.0
// Traces from files of other kinds. A new kind is one file in traces/importers/.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "hw/common/registry.h"
#include "traces/trace.h"

namespace memwall::trace {

/// Reads `path`; types that the file does not give are taken from `types`. Throws input_error with file, line
/// and field.
using importer = std::function<std::unique_ptr<op_stream>(const std::string& path, const dtypes& types)>;

/// Importers by name. An importer adds itself from its own .cpp:
///   static const importer_entry gemm_csv{"gemm_csv", "name,M,N,K: one matrix product a line",
///   read_gemm_csv};
registry<importer>& importers();

using importer_entry = registered<&importers>;

/// Opens a trace file, or a file of another kind with the named importer. With kind "" a name that ends in
/// .csv is read by gemm_csv, anything else as a trace file.
std::unique_ptr<op_stream> open(const std::string& path, const std::string& kind, const dtypes& types);

}  // namespace memwall::trace
