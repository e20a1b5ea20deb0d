// SPDX-License-Identifier: Apache-2.0
#include "hw/common/json_document.h"

#include "hw/common/config.h"
#include "hw/common/text_file.h"

namespace memwall {

nlohmann::ordered_json parse_json_document(const std::string& text, const std::string& name,
                                           const std::string& expected) {
  using json = nlohmann::ordered_json;
  check_utf8(text, name);
  const int deepest = config::limits().depth;
  const auto within = [&](int around, json::parse_event_t event, json&) {  // so many are around what begins or ends
    const bool begins = event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
    if (begins && around >= deepest)
      throw input_error(problem{name, "", "objects and lists lie too deep inside each other",
                                expected + " of at most " + std::to_string(deepest) + " levels", ""});
    return true;
  };
  try {
    return json::parse(text, within);
  } catch (const json::parse_error& e) {
    const std::int64_t line = 1 + lines_before(text, e.byte);
    throw input_error(problem{name + ":" + std::to_string(line), "", "is not JSON, or was cut short", expected, ""});
  } catch (const json::exception&) {
    throw input_error(problem{name, "", "holds a number that is too large", expected, ""});
  }
}

nlohmann::ordered_json read_json_document(const std::string& path, const std::string& expected) {
  constexpr std::size_t largest = std::size_t{1} << 30;  // a result with the operators of a long run
  return parse_json_document(read_text_file(path, expected, largest), path, expected);
}

}  // namespace memwall
