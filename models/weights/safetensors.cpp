// SPDX-License-Identifier: Apache-2.0
#include "models/weights/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "hw/common/error.h"

namespace memwall {
namespace fs = std::filesystem;

/// A file's bytes, mapped for reading.
class mapped_file {
 public:
  explicit mapped_file(const std::string& path) {
    const int f = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat facts {};
    if (f >= 0 && fstat(f, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0) {
      m_size = static_cast<std::uint64_t>(facts.st_size);
      void* p = mmap(nullptr, m_size, PROT_READ, MAP_PRIVATE, f, 0);
      if (p != MAP_FAILED) m_data = static_cast<const unsigned char*>(p);
    }
    if (f >= 0) close(f);
    if (m_data == nullptr)
      throw input_error(problem{path, "", "cannot be read, or is empty", "a .safetensors file", ""});
  }
  ~mapped_file() { munmap(const_cast<unsigned char*>(m_data), m_size); }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  const unsigned char* data() const { return m_data; }
  std::uint64_t size() const { return m_size; }

 private:
  const unsigned char* m_data = nullptr;
  std::uint64_t m_size = 0;
};

namespace {

using json = nlohmann::json;

constexpr std::uint64_t largest_header = 100'000'000;  // the format's own limit
constexpr std::size_t most_tensors = 1 << 20, most_dimensions = 8;
constexpr std::uintmax_t largest_index = 256U << 20;

struct type_facts {
  const char* name;
  stored_type type;
  int bits;
};
constexpr type_facts types[] = {
    {"F64", stored_type::f64, 64},   {"F32", stored_type::f32, 32},        {"F16", stored_type::f16, 16},
    {"BF16", stored_type::bf16, 16}, {"F8_E4M3", stored_type::f8_e4m3, 8}, {"F8_E5M2", stored_type::f8_e5m2, 8},
    {"I8", stored_type::i8, 8},      {"U8", stored_type::u8, 8},           {"BOOL", stored_type::other, 8},
    {"I16", stored_type::other, 16}, {"U16", stored_type::other, 16},      {"I32", stored_type::other, 32},
    {"U32", stored_type::other, 32}, {"I64", stored_type::other, 64},      {"U64", stored_type::other, 64},
};

[[noreturn]] void refuse(const std::string& file, const std::string& key, const std::string& message,
                         const std::string& expected) {
  throw input_error(problem{file, key, message, expected, ""});
}

/// JSON with the line of an error, and without names that occur twice in one object of depth 1.
json parse_json(const std::string& file, const char* begin, const char* end) {
  std::set<std::string> seen;
  const auto look = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::key && depth == 1 && !seen.insert(value.get<std::string>()).second)
      refuse(file, value.get<std::string>(), "stands twice", "each tensor once");
    return true;
  };
  try {
    return json::parse(begin, end, look);
  } catch (const json::exception& e) {
    refuse(file, "", std::string("is no JSON: ") + e.what(), "the header of a .safetensors file, or its index");
  }
}

stored_tensor read_entry(const std::string& file, const std::string& name, const json& entry, const unsigned char* data,
                         std::uint64_t data_bytes, std::uint64_t& begin, std::uint64_t& end) {
  stored_tensor t;
  t.file = file;
  t.name = name;
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
      !entry["shape"].is_array() || !entry.contains("data_offsets") || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2)
    refuse(file, name, "lacks dtype, shape or data_offsets", "all three");
  t.type_name = entry["dtype"].get<std::string>();
  const auto* facts =
      std::find_if(std::begin(types), std::end(types), [&](const auto& f) { return t.type_name == f.name; });
  if (facts == std::end(types)) {
    std::vector<std::string> known;
    for (const auto& f : types) known.emplace_back(f.name);
    refuse(file, name, "unknown type '" + t.type_name + "'", "one of: " + joined(known));
  }
  t.type = facts->type;
  if (entry["shape"].size() > most_dimensions)
    refuse(file, name, "has " + std::to_string(entry["shape"].size()) + " dimensions", "at most 8");
  constexpr std::int64_t most = std::int64_t{1} << 48;
  t.count = 1;
  for (const auto& d : entry["shape"]) {
    if (!d.is_number_unsigned() || d.get<std::uint64_t>() > static_cast<std::uint64_t>(most))
      refuse(file, name, "the shape has " + d.dump(), "whole numbers from 0 to 2^48");
    t.shape.push_back(d.get<std::int64_t>());
    if (t.shape.back() > 0 && t.count > most / t.shape.back()) refuse(file, name, "is too large", "2^48 values");
    t.count *= t.shape.back();
  }
  const auto& offsets = entry["data_offsets"];
  if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
    refuse(file, name, "data_offsets is " + offsets.dump(), "two byte positions");
  begin = offsets[0].get<std::uint64_t>();
  end = offsets[1].get<std::uint64_t>();
  if (begin > end || end > data_bytes)
    refuse(file, name, "data_offsets is " + offsets.dump() + ", the data has " + std::to_string(data_bytes) + " bytes",
           "a range inside the file: is it whole?");
  const std::uint64_t needed = static_cast<std::uint64_t>(t.count) * static_cast<std::uint64_t>(facts->bits) / 8;
  if (end - begin != needed)
    refuse(file, name,
           "has " + std::to_string(end - begin) + " bytes for " + t.shape_text() + " values of " + t.type_name,
           std::to_string(needed) + " bytes");
  t.data = data + begin;
  t.bytes = needed;
  return t;
}

}  // namespace

tensor_files::tensor_files(const std::string& path) : m_path(path) {
  std::error_code ignored;
  const fs::path index = fs::path(path) / "model.safetensors.index.json", whole = fs::path(path) / "model.safetensors";
  if (!fs::is_directory(path, ignored)) {
    add_file(path, nullptr);
  } else if (fs::exists(index, ignored)) {
    add_shards(index.string());
  } else if (fs::exists(whole, ignored)) {
    add_file(whole.string(), nullptr);
  } else {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".safetensors") found.push_back(entry.path().string());
    if (found.size() != 1)
      refuse(path, "", "holds " + std::to_string(found.size()) + " .safetensors files and no index",
             "model.safetensors, model.safetensors.index.json with its shards, or one .safetensors file");
    add_file(found.front(), nullptr);
  }
}
tensor_files::~tensor_files() = default;
tensor_files::tensor_files(tensor_files&&) noexcept = default;

void tensor_files::add_file(const std::string& file, std::vector<std::string>* names) {
  m_files.push_back(std::make_unique<mapped_file>(file));
  const mapped_file& f = *m_files.back();
  std::uint64_t header = 0;
  if (f.size() < 8) refuse(file, "", "is " + std::to_string(f.size()) + " bytes long", "a .safetensors file");
  for (int i = 7; i >= 0; --i) header = header << 8 | f.data()[i];
  if (header > std::min(largest_header, f.size() - 8))
    refuse(file, "", "its header would have " + std::to_string(header) + " bytes",
           "at most 100 MB, and no more than the file has: is it a whole .safetensors file?");
  const char* text = reinterpret_cast<const char*>(f.data() + 8);
  const json root = parse_json(file, text, text + header);
  if (!root.is_object()) refuse(file, "", "the header is no JSON object", "names of tensors");
  if (root.size() > most_tensors)
    refuse(file, "", "has " + std::to_string(root.size()) + " tensors", "at most " + std::to_string(most_tensors));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto& [name, entry] : root.items()) {
    if (name == "__metadata__") continue;
    std::uint64_t begin = 0, end = 0;
    stored_tensor t = read_entry(file, name, entry, f.data() + 8 + header, f.size() - 8 - header, begin, end);
    if (end > begin) ranges.emplace_back(begin, end);
    if (names != nullptr) names->push_back(name);
    const auto [at, fresh] = m_tensors.emplace(name, std::move(t));
    if (!fresh) refuse(file, name, "stands in " + at->second.file + " too", "each tensor once");
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second)
      refuse(file, "", "tensors overlap at byte " + std::to_string(ranges[i].first), "a place for each");
}

void tensor_files::add_shards(const std::string& index) {
  std::error_code failure;
  if (fs::file_size(index, failure) > largest_index || failure)
    refuse(index, "", "cannot be read, or is larger than 256 MiB", "an index of shards");
  std::ifstream in(index, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const json root = parse_json(index, text.data(), text.data() + text.size());
  const auto map = root.find("weight_map");
  if (!root.is_object() || map == root.end() || !map->is_object())
    refuse(index, "weight_map", "is missing", "an object from tensors to files");
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [name, file] : map->items()) {
    if (!file.is_string()) refuse(index, "weight_map." + name, "is " + file.dump(), "a file's name");
    const std::string text_of = file.get<std::string>();
    if (text_of.find('/') != std::string::npos || text_of == "..")
      refuse(index, "weight_map." + name, "names '" + text_of + "'", "a file beside the index");
    shards[text_of].insert(name);
  }
  problem_list problems;
  for (const auto& [file, wanted] : shards) {
    const std::string path = (fs::path(index).parent_path() / file).string();
    std::vector<std::string> names;
    add_file(path, &names);
    const std::set<std::string> there(names.begin(), names.end());
    for (const auto& n : wanted)
      if (there.count(n) == 0) problems.add({path, n, "is missing", "the tensor that " + index + " promises", ""});
  }
  problems.check();
}

const stored_tensor* tensor_files::find(const std::string& name) const {
  const auto found = m_tensors.find(name);
  return found == m_tensors.end() ? nullptr : &found->second;
}

void stored_tensor::rest() const {
  // Whole pages of its own: the first and the last may belong to neighbours too.
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(data) + page - 1) / page * page,
             end = (reinterpret_cast<std::uintptr_t>(data) + bytes) / page * page;
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // a wish; it is mapped to read
}

std::string stored_tensor::shape_text() const {
  std::string out;
  for (const auto d : shape) out += (out.empty() ? "" : " x ") + std::to_string(d);
  return out.empty() ? "1" : out;
}

void stored_tensor::read(std::int64_t first, std::int64_t n, float* out) const {
  const auto each = [&](auto zero, auto&& convert) {
    using Number = decltype(zero);
    for (std::int64_t i = 0; i < n; ++i) {
      Number v;
      std::memcpy(&v, data + static_cast<std::size_t>(first + i) * sizeof v, sizeof v);
      out[i] = convert(v);
    }
  };
  switch (type) {
    case stored_type::f64:
      return each(double{}, [](double v) { return static_cast<float>(v); });
    case stored_type::f32:
      return each(float{}, [](float v) { return v; });
    case stored_type::f16:
      return each(std::uint16_t{}, from_half);
    case stored_type::bf16:
      return each(std::uint16_t{}, from_bfloat);
    case stored_type::f8_e4m3:
      return each(std::uint8_t{}, from_e4m3);
    case stored_type::f8_e5m2:
      return each(std::uint8_t{}, from_e5m2);
    case stored_type::i8:
      return each(std::int8_t{}, [](std::int8_t v) { return static_cast<float>(v); });
    case stored_type::u8:
      return each(std::uint8_t{}, [](std::uint8_t v) { return static_cast<float>(v); });
    case stored_type::other:
      break;
  }
  refuse(file, name, "has type " + type_name, "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I8 or U8");
}

float from_bfloat(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float v;
  std::memcpy(&v, &wide, sizeof v);
  return v;
}

namespace {
// A float of `exponent_bits` and `mantissa_bits`; exponent field of ones: infinities and NaN.
float small_float(unsigned bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
  const unsigned mantissa = bits & ((1U << mantissa_bits) - 1),
                 exponent = (bits >> mantissa_bits) & ((1U << exponent_bits) - 1);
  const bool negative = (bits >> (mantissa_bits + exponent_bits)) != 0;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  float v;
  if (has_infinity && exponent == (1U << exponent_bits) - 1)
    v = mantissa != 0 ? NAN : INFINITY;
  else if (exponent == 0)
    v = std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissa_bits);
  else
    v = std::ldexp(static_cast<float>(mantissa + (1U << mantissa_bits)),
                   static_cast<int>(exponent) - bias - mantissa_bits);
  return negative ? -v : v;
}
}  // namespace

float from_half(std::uint16_t bits) {
  return small_float(bits, 5, 10, true);
}
// E4M3 has no infinity; all ones is NaN.
float from_e4m3(std::uint8_t bits) {
  return (bits & 0x7f) == 0x7f ? NAN : small_float(bits, 4, 3, false);
}
float from_e5m2(std::uint8_t bits) {
  return small_float(bits, 5, 2, true);
}

std::uint16_t to_bfloat(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

std::uint16_t to_half(float v) {
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return sign | 0x7e00U;
  if (magnitude >= 0x477ff000U) return sign | 0x7c00U;  // 65520 and more
  if (magnitude < 0x38800000U) {                        // below 2^-14: whole multiples of 2^-24
    float small;
    std::memcpy(&small, &magnitude, sizeof small);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(small, 24))));
  }
  const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

}  // namespace memwall
