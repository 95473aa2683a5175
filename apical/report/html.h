#pragma once
// A report: one HTML file that needs nothing else. Readable on a phone, in dark mode and on paper. All text is escaped here.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace apical::report {

/// A table. Numbers (cells that begin with a digit, sign or point) are set to the right with equal-width figures.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

/// A row of the claim table.
struct ClaimRow {
  std::string id, statement, paper, target, measured, interval;
  std::string verdict;  ///< "holds", "marginal", "does not hold here", "not judged: ...": the badge's colour and sign follow it
  bool gate = false;
};

class Html {
 public:
  explicit Html(std::string title = "");
  void title(std::string text) { title_ = std::move(text); }
  void subtitle(std::string text) { subtitle_ = std::move(text); }  ///< small line above the title, e.g. "digits · desk scale · seed 1"
  void summary(std::string text) { summary_ = std::move(text); }    ///< one or two sentences below the title
  void notice(std::string text);  ///< a warning box: "Synthetic data: ..."; the same words are shown once
  /// A headline figure. `note` is small print below it, `good`: 1 good, 0 neutral, -1 bad.
  void card(std::string label, std::string value, std::string note = "", int good = 0);
  void claims(std::vector<ClaimRow> rows) { claims_ = std::move(rows); }

  void section(std::string title);  ///< starts a section; it is listed in the contents
  void paragraph(std::string text);
  void figure(std::string svg, std::string caption = "",
              bool wide = true);  ///< svg: text of svg.h. Two narrow ones in a row stand side by side
  void table(Table table, std::string caption = "");
  void code(std::string text);

  void fact(std::string name, std::string value);                     ///< machine, versions, data: the foot of the report
  void config(std::string toml) { config_ = std::move(toml); }        ///< settings used, folded away
  void repeat(std::string command) { repeat_ = std::move(command); }  ///< how to repeat this

  std::string text() const;
  void write(const std::filesystem::path& path) const;  ///< atomically

 private:
  struct Card {
    std::string label, value, note;
    int good;
  };
  std::string body() const;
  std::string title_, subtitle_, summary_, config_, repeat_;
  std::vector<std::string> notices_;
  std::vector<Card> cards_;
  std::vector<ClaimRow> claims_;
  struct Block {
    std::string section, html;
    bool narrow = false;
  };  ///< a block either opens a section or holds markup
  std::vector<Block> blocks_;
  std::vector<std::pair<std::string, std::string>> facts_;
};

}  // namespace apical::report
