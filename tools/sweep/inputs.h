// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace memwall::sweep {

/// A name that is a file or folder below `directory` (the sweep file's) or the working directory becomes an
/// absolute path; any other (a preset's name) stays.
std::string resolve_path(const std::string& name, const std::string& directory);

/// Digest of what a platform, model or trace is made of: the file, or the shipped preset of that name, with
/// the files that it derives from (`base:`); a model folder's config.json. "" when no file is known by that
/// name.
std::string input_digest(const std::string& kind, const std::string& name);

}  // namespace memwall::sweep
