// SPDX-License-Identifier: Apache-2.0
// Trace files: JSON Lines, one object a line. The format is described in traces/README.md.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>

#include "traces/trace.h"

namespace memwall::trace {

/// Opens a trace file; the header and the tensors are read at once, operators when they are asked for. Throws
/// input_error with file, line and field: a broken line, a wrong version, an unknown tensor, a dependency on
/// an operator that does not come before, a number out of range, a file that ends before its end line.
std::unique_ptr<op_stream> read_file(const std::string& path);
/// As read_file, from a stream that is already open; `name` stands for the file in messages.
std::unique_ptr<op_stream> read_stream(std::unique_ptr<std::istream> in, const std::string& name);

/// Writes a trace to an open stream: header, tensors, operators, end line. Returns the number of operators.
std::int64_t write(op_stream& trace, std::ostream& out);
/// Writes a trace file under a temporary name and renames it when it is complete; "-" is standard output.
/// Throws input_error when the path cannot be written.
std::int64_t write_file(op_stream& trace, const std::string& path);

}  // namespace memwall::trace
