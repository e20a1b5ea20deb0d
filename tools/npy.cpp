// SPDX-License-Identifier: Apache-2.0
#include "tools/npy.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "hw/common/error.h"
#include "hw/common/text_file.h"

namespace memwall::tools {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& message, const std::string& expected) {
  throw input_error(problem{path, "", message, expected, ""});
}

// The text after 'key': in the header's dictionary, up to the comma or brace that ends it.
std::string entry(const std::string& path, const std::string& header, const std::string& key) {
  const std::size_t at = header.find("'" + key + "'");
  const std::size_t colon = at == std::string::npos ? at : header.find(':', at);
  if (colon == std::string::npos) refuse(path, "the header has no '" + key + "'", "a .npy file of version 1 to 3");
  std::size_t begin = header.find_first_not_of(' ', colon + 1);
  if (begin == std::string::npos) refuse(path, "the header ends after '" + key + "'", "a value");
  const bool tuple = header[begin] == '(';
  const std::size_t end = tuple ? header.find(')', begin) : header.find_first_of(",}", begin);
  if (end == std::string::npos) refuse(path, "the header is not closed", "a dictionary");
  return header.substr(begin, end - begin + (tuple ? 1 : 0));
}

/// The lengths in "(3, 4)"; their product is at most 2^40.
std::vector<std::int64_t> dimensions(const std::string& path, const std::string& shape) {
  std::vector<std::int64_t> out;
  const std::string expected = "lengths such as (4096, 1024), at most 2^40 elements in all";
  const std::int64_t most = std::int64_t{1} << 40;
  std::int64_t count = 1;
  const char* at = shape.data();
  const char* const last = at + shape.size();
  const auto skip = [&](std::string_view characters) {
    while (at != last && characters.find(*at) != std::string_view::npos) ++at;
  };
  for (skip("( "); at != last && *at != ')'; skip(", ")) {
    std::int64_t n = 0;
    const auto [end, failure] = std::from_chars(at, last, n);
    if (failure != std::errc{} || n < 0 || n > most || (n > 0 && count > most / n))
      refuse(path, "has the shape " + shape, expected);
    out.push_back(n);
    count *= n;
    at = end;
  }
  if (shape.size() < 2 || shape.front() != '(' || shape.back() != ')') refuse(path, "has the shape " + shape, expected);
  return out;
}

template <class T>
double load(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return static_cast<double>(v);
}

double load_half(const char* p) {
  std::uint16_t h = 0;
  std::memcpy(&h, p, sizeof h);
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  const double magnitude = exponent == 0    ? std::ldexp(mantissa, -24)
                           : exponent == 31 ? (mantissa != 0 ? std::nan("") : HUGE_VAL)
                                            : std::ldexp(1024 + mantissa, exponent - 25);
  return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

struct element {
  const char* code;
  std::size_t bytes;
  double (*load)(const char*);
};
const element elements[] = {
    {"f2", 2, load_half},           {"f4", 4, load<float>},         {"f8", 8, load<double>},
    {"i1", 1, load<std::int8_t>},   {"i2", 2, load<std::int16_t>},  {"i4", 4, load<std::int32_t>},
    {"i8", 8, load<std::int64_t>},  {"u1", 1, load<std::uint8_t>},  {"u2", 2, load<std::uint16_t>},
    {"u4", 4, load<std::uint32_t>}, {"u8", 8, load<std::uint64_t>}, {"b1", 1, load<std::uint8_t>}};

const element& element_of(const std::string& path, const std::string& descr) {
  for (const element& e : elements)
    if (descr.size() == 5 && descr.substr(2, 2) == e.code && (descr[1] == '<' || descr[1] == '|')) return e;
  refuse(path, "element type " + descr, "f2, f4, f8, i1 to i8, u1 to u8 or b1, little endian");
}

}  // namespace

npy_array read_npy(const std::string& path) {
  const std::string data = read_binary_file(path, "a .npy file", std::size_t{16} << 30);
  if (data.size() < 10 || data.compare(0, 6, "\x93NUMPY") != 0) refuse(path, "is not a .npy file", "numpy.save output");
  const bool wide = data[6] > 1;  // header length of four bytes since version 2
  const std::size_t prefix = wide ? 12 : 10;
  if (data.size() < prefix) refuse(path, "ends in its header", "a whole file");
  std::size_t length = 0;
  for (std::size_t i = prefix; i-- > 8;) length = length << 8 | static_cast<unsigned char>(data[i]);
  if (data.size() < prefix + length) refuse(path, "ends in its header", "a whole file");
  const std::string header = data.substr(prefix, length);
  const element& e = element_of(path, entry(path, header, "descr"));
  const bool fortran = entry(path, header, "fortran_order") == "True";
  npy_array out;
  const std::string shape = entry(path, header, "shape");
  out.shape = dimensions(path, shape);
  std::int64_t count = 1;
  for (const std::int64_t n : out.shape) count *= n;
  if (data.size() - prefix - length != static_cast<std::size_t>(count) * e.bytes)
    refuse(path, "holds " + std::to_string(data.size() - prefix - length) + " bytes of data",
           std::to_string(static_cast<std::size_t>(count) * e.bytes) + " for shape " + shape);
  out.values.resize(static_cast<std::size_t>(count));
  const char* p = data.data() + prefix + length;
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = e.load(p + i * e.bytes);
  if (fortran && out.shape.size() == 2) {
    const std::vector<double> columns = out.values;
    const std::size_t rows = static_cast<std::size_t>(out.shape[0]), cols = static_cast<std::size_t>(out.shape[1]);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < cols; ++c) out.values[r * cols + c] = columns[c * rows + r];
  } else if (fortran && out.shape.size() > 2) {
    refuse(path, "is in Fortran order with more than two dimensions", "C order");
  }
  for (const double v : out.values)
    if (!std::isfinite(v)) refuse(path, "holds a value that is not finite", "finite numbers");
  return out;
}

void write_npy(const std::string& path, const npy_array& array) {
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (";
  for (const std::int64_t n : array.shape) header += std::to_string(n) + ", ";
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const std::string temporary = path + ".tmp";
  std::ofstream out(temporary, std::ios::binary);
  out.write("\x93NUMPY\x01\x00", 8);
  const char length[] = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  out.write(length, 2);
  out << header;
  out.write(reinterpret_cast<const char*>(array.values.data()),
            static_cast<std::streamsize>(array.values.size() * sizeof(double)));
  out.close();
  std::error_code failure;
  if (out) std::filesystem::rename(temporary, path, failure);
  if (!out || failure) {
    std::remove(temporary.c_str());
    refuse(path, "cannot be written", "a writable directory with room");
  }
}

}  // namespace memwall::tools
