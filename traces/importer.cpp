// SPDX-License-Identifier: Apache-2.0
#include "traces/importer.h"

#include "traces/file.h"

namespace memwall::trace {

registry<importer>& importers() {
  static registry<importer> all("trace importer");
  return all;
}

std::unique_ptr<op_stream> open(const std::string& path, const std::string& kind, const dtypes& types) {
  const bool csv = path.size() > 4 && path.compare(path.size() - 4, 4, ".csv") == 0;
  if (kind.empty() && !csv) return read_file(path);
  return importers().get(kind.empty() ? "gemm_csv" : kind, "--importer")(path, types);
}

}  // namespace memwall::trace
