// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace memwall::tools {

/// A folder for what children hand back, gone with this object.
class scratch {
 public:
  explicit scratch(const std::string& prefix);
  ~scratch();
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  std::string file(const std::string& name) const { return m_path + "/" + name; }

 private:
  std::string m_path;
};

}  // namespace memwall::tools
