// apical completion bash|zsh: a script written from the command line's own tree, so that it can never fall behind.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>

#include "apical/base/error.h"
#include "cli/frame.h"
#include "cli/verbs.h"

namespace apical::cli {
namespace {

// What can follow a verb: path -> words, and per option its choices. Paths are verbs joined by spaces, "" at the top.
struct Tree {
  struct Word {
    std::string text, description;
  };
  std::map<std::string, std::vector<Word>> verbs, options;
  std::map<std::string, std::vector<std::string>> choices;  // "path<TAB>--option" or "path<TAB>position"
  std::set<std::string> takes_value;                        // "path<TAB>--option"

  void add(const std::string& lines) {
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
      const auto f = CLI::detail::split(line, '\t');
      if (f[0] == "verb" && f.size() >= 3) {
        const auto cut = f[1].rfind(' ');
        const std::string above = cut == std::string::npos ? "" : f[1].substr(0, cut);
        const std::string name = cut == std::string::npos ? f[1] : f[1].substr(cut + 1);
        auto& list = verbs[above];
        if (std::none_of(list.begin(), list.end(), [&](const Word& w) { return w.text == name; })) list.push_back({name, f[2]});
        options[f[1]];
      } else if (f[0] == "option" && f.size() >= 5) {
        auto& list = options[f[1]];
        if (std::none_of(list.begin(), list.end(), [&](const Word& w) { return w.text == f[2]; })) list.push_back({f[2], f[4]});
        if (f[3] == "1") takes_value.insert(f[1] + "\t" + f[2]);
      } else if (f[0] == "choice" && f.size() >= 4) {
        choices[f[1] + "\t" + f[2]].push_back(f[3]);
      }
    }
  }
};

// The tree of apical-train, asked from itself; "" when this build has none.
std::string train_tree() {
  const auto path = find_train();
  if (path.empty()) return "";
  FILE* pipe = ::popen(("'" + path.string() + "' command-tree").c_str(), "r");
  if (!pipe) throw internal_error("cannot start apical-train", path.string());
  std::string out;
  std::array<char, 4096> buffer;
  for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) out.append(buffer.data(), n);
  if (::pclose(pipe) != 0) throw internal_error("apical-train does not answer", path.string());
  return out;
}

std::string quoted(const std::string& text) {  // for single quotes of a shell
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

template <class Words>
std::string joined(const Words& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}

std::vector<std::string> texts(const std::vector<Tree::Word>& words) {
  std::vector<std::string> out;
  for (const auto& w : words) out.push_back(w.text);
  return out;
}

// "path<TAB>--option" as the script's key '/path/--option'
std::string slashed(std::string key) {
  std::replace(key.begin(), key.end(), '\t', '/');
  return quoted("/" + key);
}

std::string bash_script(const Tree& tree) {
  std::ostringstream s;
  s << "# bash completion of apical; written by `apical completion bash`\n"
       "_apical() {\n"
       "  local cur=${COMP_WORDS[COMP_CWORD]} path='' word i skip=0 previous=${COMP_WORDS[COMP_CWORD-1]}\n"
       "  local -A verbs=( ";
  for (const auto& [path, words] : tree.verbs) s << "[" << quoted("/" + path) << "]=" << quoted(joined(texts(words))) << " ";
  s << ")\n  local -A options=( ";
  for (const auto& [path, words] : tree.options) s << "[" << quoted("/" + path) << "]=" << quoted(joined(texts(words))) << " ";
  s << ")\n  local -A choices=( ";
  for (const auto& [key, words] : tree.choices) s << "[" << slashed(key) << "]=" << quoted(joined(words)) << " ";
  s << ")\n  local -A values=( ";
  for (const auto& key : tree.takes_value) s << "[" << slashed(key) << "]=1 ";
  s << R"()
  # bash cuts words at '=' too; --option=value is completed as --option value
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((skip)); then skip=0; continue; fi
    if [[ $word == -* ]]; then
      if [[ -n ${values["/$path/$word"]}${values["//$word"]} ]]; then skip=1; fi
    elif [[ " ${verbs["/$path"]} " == *" $word "* ]]; then
      path=${path:+$path }$word
    fi
  done
  COMPREPLY=()
  if ((skip)); then
    local known=${choices["/$path/$previous"]:-${choices["//$previous"]}}
    if [[ -n $known ]]; then COMPREPLY=($(compgen -W "$known" -- "$cur")); else compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); fi
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "${options["/$path"]} ${path:+${options["/"]}}" -- "$cur"))
  elif [[ -n ${verbs["/$path"]}${choices["/$path/position"]} ]]; then
    COMPREPLY=($(compgen -W "${verbs["/$path"]} ${choices["/$path/position"]}" -- "$cur"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}
complete -F _apical apical
)";
  return s.str();
}

// zsh: one function a verb, with descriptions.
std::string described(const std::string& name, const std::string& description) {
  std::string d;
  for (char c : description) d += c == '[' || c == ']' || c == ':' ? ' ' : c;
  return name + "[" + d + "]";
}

std::string zsh_function(const std::string& path) {
  std::string name = "_apical";
  for (char c : path.empty() ? path : " " + path) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

void zsh_verb(const Tree& tree, const std::string& path, std::ostringstream& s) {
  s << zsh_function(path) << "() {\n  local context state line\n  _arguments -C";
  const auto list = [&](const std::string& at) {
    const auto it = tree.options.find(at);
    if (it == tree.options.end()) return;
    for (const auto& w : it->second) {
      std::string spec = described(w.text, w.description);
      if (tree.takes_value.count(at + "\t" + w.text)) {
        const auto c = tree.choices.find(at + "\t" + w.text);
        spec += c == tree.choices.end() ? ":value:_files" : ":value:(" + joined(c->second) + ")";
      }
      s << " \\\n    " << quoted(spec);
    }
  };
  list(path);
  if (!path.empty()) list("");
  const auto verbs = tree.verbs.find(path);
  const auto places = tree.choices.find(path + "\tposition");
  if (verbs == tree.verbs.end()) {
    s << " \\\n    " << quoted(places == tree.choices.end() ? "*:file:_files" : "1:choice:(" + joined(places->second) + ")") << "\n}\n";
    return;
  }
  s << " \\\n    '1: :->verb' '*:: :->rest'\n  case $state in\n  verb)\n    local -a verbs=(";
  for (const auto& w : verbs->second) {
    std::string d;
    for (char c : w.description) d += c == ':' ? ' ' : c;
    s << "\n      " << quoted(w.text + ":" + d);
  }
  s << ")\n    _describe verb verbs ;;\n  rest)\n    case $line[1] in\n";
  for (const auto& w : verbs->second) s << "    " << w.text << ") " << zsh_function(path.empty() ? w.text : path + " " + w.text) << " ;;\n";
  s << "    esac ;;\n  esac\n}\n";
  for (const auto& w : verbs->second) zsh_verb(tree, path.empty() ? w.text : path + " " + w.text, s);
}

std::string zsh_script(const Tree& tree) {
  std::ostringstream s;
  s << "#compdef apical\n# zsh completion of apical; written by `apical completion zsh`\n";
  zsh_verb(tree, "", s);
  s << "if [[ $funcstack[1] == _apical ]]; then _apical \"$@\"; else compdef _apical apical; fi\n";
  return s.str();
}

}  // namespace

void add_completion(CLI::App& app) {
  auto* sub = app.add_subcommand("completion", "Write the completion script of bash or zsh");
  auto shell = std::make_shared<std::string>();
  sub->add_option("shell", *shell, "The shell")->required()->check(CLI::IsMember({"bash", "zsh"}));
  sub->footer(R"(Examples:
  source <(apical completion bash)                         for this shell
  apical completion bash > ~/.local/share/bash-completion/completions/apical
  apical completion zsh > "${fpath[1]}/_apical"            for every zsh to come)");
  sub->callback([&app, shell] {
    Tree tree;
    tree.add(train_tree());
    tree.add(command_tree(app));
    std::fputs((*shell == "bash" ? bash_script(tree) : zsh_script(tree)).c_str(), stdout);
  });
}

}  // namespace apical::cli
