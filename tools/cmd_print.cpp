// SPDX-License-Identifier: Apache-2.0
// The manual page and the shells' completions, made from the options that the commands declare: nothing to keep in
// step.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "hw/common/error.h"
#include "models/model.h"
#include "platforms/describe/description.h"
#include "tools/commands.h"

namespace memwall::tools {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// "--out" of an option: its first long name; "" for a positional.
std::string long_name(const CLI::Option& o) {
  return o.get_lnames().empty() ? "" : "--" + o.get_lnames().front();
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* o) { return !o->get_lnames().empty(); });
}

/// A line of text for roff: a backslash, a dash or a dot in front mean something there.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '-') out += '\\';
    out += c;
    if (c == '\n') out += ".br\n";
  }
  return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

void print_options(const CLI::App& app) {
  for (const auto* o : app.get_options([](const CLI::Option*) { return true; })) {
    const std::string value = o->get_type_size() == 0 ? "" : " " + o->get_option_text();
    std::cout << ".TP\n.B " << roff(o->get_name(true, true)) << roff(value) << "\n"
              << roff(o->get_description()) << "\n";
  }
}

void print_man(const CLI::App& app) {
  std::cout << ".TH MEMWALL 1 \"\" \"memwall " << MEMWALL_VERSION << "\" \"User commands\"\n.SH NAME\nmemwall \\- a "
            << "SystemC/TLM\\-2.0 simulator of the memory wall\n.SH SYNOPSIS\n.B memwall\nCOMMAND [OPTIONS]\n";
  std::cout << ".SH OPTIONS\n";
  print_options(app);
  for (const auto* c : commands_of(app)) {
    std::cout << ".SH MEMWALL " << roff(c->get_name()) << "\n" << roff(c->get_description()) << "\n";
    print_options(*c);
  }
  std::cout << ".SH EXIT STATUS\n0 done; 1 a bug in memwall; 2 bad input; 3 does not fit; 4 something could not be "
               "written; 130 interrupted.\n";
}

/// What may follow an option, where that is known: names of platforms or models, one of a few words, a file.
std::string values_of(const CLI::Option& o) {
  const std::string name = long_name(o);
  std::vector<std::string> names;
  if (name == "--platform") names = platforms::platform_names();
  if (name == "--model") names = model_names();
  if (name == "--phase") names = {"prefill", "decode", "both"};
  if (name == "--replay") names = {"on", "off"};
  return fmt::format("{}", fmt::join(names, " "));
}

void print_bash(const CLI::App& app) {
  std::string names, cases, values;
  for (const auto* c : commands_of(app)) {
    names += " " + c->get_name();
    std::string options;
    for (const auto* o : options_of(*c)) {
      options += " " + long_name(*o);
      if (const auto v = values_of(*o); !v.empty() && values.find(long_name(*o) + ")") == std::string::npos)
        values += fmt::format("    {}) COMPREPLY=($(compgen -f -W '{}' -- \"$word\")); return ;;\n", long_name(*o), v);
    }
    cases += fmt::format("    {}) options='{}' ;;\n", c->get_name(), options);
  }
  std::cout
      << "# bash completion of memwall\n_memwall() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" options=''\n"
      << "  if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W '" << names
      << " --help --version' -- \"$word\")); return; fi\n"
      << "  case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n"
      << values << "  esac\n"
      << "  case \"${COMP_WORDS[1]}\" in\n"
      << cases << "  esac\n"
      << "  case \"$word\" in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
      << "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  esac\n}\ncomplete -o filenames -F _memwall memwall\n";
}

/// Text inside single quotes of zsh and fish.
std::string quoted(std::string text) {
  text = text.substr(0, text.find('\n'));
  for (std::size_t at = 0; (at = text.find_first_of("'[]:", at)) != std::string::npos;) text.replace(at, 1, " ");
  return text;
}

void print_zsh(const CLI::App& app) {
  std::cout << "#compdef memwall\n_memwall() {\n  if (( CURRENT == 2 )); then\n    local -a commands=(\n";
  for (const auto* c : commands_of(app))
    std::cout << "      '" << c->get_name() << ":" << quoted(c->get_description()) << "'\n";
  std::cout << "    )\n    _describe command commands\n    return\n  fi\n  case ${words[2]} in\n";
  for (const auto* c : commands_of(app)) {
    std::cout << "    " << c->get_name() << ") _arguments";
    for (const auto* o : options_of(*c)) {
      std::string line = fmt::format("*{}[{}]", long_name(*o), quoted(o->get_description()));
      if (o->get_type_size() != 0) {
        const auto v = values_of(*o);
        line += v.empty() ? ":value:_files" : ":value:(" + v + ")";
      }
      std::cout << " \\\n      '" << line << "'";
    }
    std::cout << " \\\n      '*:file:_files' ;;\n";
  }
  std::cout << "  esac\n}\n_memwall \"$@\"\n";
}

void print_fish(const CLI::App& app) {
  for (const auto* c : commands_of(app)) {
    std::cout << fmt::format("complete -c memwall -n __fish_use_subcommand -f -a {} -d '{}'\n", c->get_name(),
                             quoted(c->get_description()));
    for (const auto* o : options_of(*c)) {
      const auto v = values_of(*o);
      std::cout << fmt::format("complete -c memwall -n '__fish_seen_subcommand_from {}' -l {} -d '{}'{}{}\n",
                               c->get_name(), o->get_lnames().front(), quoted(o->get_description()),
                               o->get_type_size() != 0 ? " -r" : "", v.empty() ? "" : " -a '" + v + "'");
    }
  }
}

void print(const CLI::App& app, const std::string& what, const std::string& shell) {
  if (what == "man") return print_man(app);
  const std::vector<std::string> shells{"bash", "zsh", "fish"};
  if (shell == "bash") return print_bash(app);
  if (shell == "zsh") return print_zsh(app);
  if (shell == "fish") return print_fish(app);
  throw input_error(problem{"print completion", "", "unknown shell '" + shell + "'", "bash, zsh or fish",
                            nearest_name(shell, shells)});
}

}  // namespace

void add_print(CLI::App& app) {
  auto* sub = app.add_subcommand("print", "the manual page, or a shell's completion: print man, print completion bash");
  auto what = std::make_shared<std::string>("man");
  auto shell = std::make_shared<std::string>("bash");
  sub->add_option("what", *what, "man or completion")->check(CLI::IsMember({"man", "completion"}));
  sub->add_option("shell", *shell, "bash, zsh or fish");
  sub->callback([&app, what, shell] { print(app, *what, *shell); });
}

}  // namespace memwall::tools
