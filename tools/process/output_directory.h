// SPDX-License-Identifier: Apache-2.0
// The folder that a command writes to: one command at a time, and nothing of an earlier one beside its files.
#pragma once
#include <string>
#include <vector>

namespace memwall::tools {

class output_directory {
 public:
  /// Makes the folder and takes its lock, which the kernel drops with the process, however that ends. `kind` says who
  /// we are: "run", "compare", "sweep". Throws input_error when it cannot be used, or when somebody else writes there.
  output_directory(const std::string& path, const std::string& kind);
  ~output_directory();
  output_directory(const output_directory&) = delete;
  output_directory& operator=(const output_directory&) = delete;

  /// Throws input_error where a folder has the name of a file that will be written.
  void refuse_folders(const std::vector<std::string>& files) const;
  /// Removes what an earlier run or comparison left here, and its folders inside (`folders`: ours, for the next one to
  /// remove). Refused (input_error) where a sweep lies: its records are too dear.
  void clear_results(const std::vector<std::string>& folders = {});
  /// Folders inside that are about to be made: ours, for the next one to remove.
  void add_folders(const std::vector<std::string>& folders);

 private:
  void note(const std::vector<std::string>& folders);
  std::string m_path, m_kind;
  int m_file = -1;
  bool m_has_folders = false;
};

}  // namespace memwall::tools
