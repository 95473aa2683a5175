#include "apical/report/html.h"

#include <algorithm>
#include <cctype>

#include "apical/base/files.h"
#include "apical/base/machine.h"
#include "apical/report/html_style.h"
#include "apical/report/svg.h"

namespace apical::report {
namespace {

bool numeric(const std::string& s) {
  if (s.empty()) return true;  // an empty cell does not decide
  std::size_t i = s[0] == '-' || s[0] == '+' || s[0] == '.' ? 1 : 0;
  if (s.rfind("−", 0) == 0 || s == "–") return true;
  return i < s.size() && std::isdigit(static_cast<unsigned char>(s[i])) != 0;
}

// A column is set to the right when all its cells are numbers and at least one is not empty.
std::vector<bool> number_columns(const Table& t) {
  std::vector<bool> out;
  for (std::size_t c = 0; c < t.header.size(); ++c) {
    bool all = true, any = false;
    for (const auto& row : t.rows)
      if (c < row.size()) all = all && numeric(row[c]), any = any || !row[c].empty();
    out.push_back(all && any);
  }
  return out;
}

std::string table_html(const Table& t) {
  const auto right = number_columns(t);
  const auto cell = [&](const char* tag, std::size_t c, const std::string& text) {
    return std::string("<") + tag + (c < right.size() && right[c] ? " class=\"n\">" : ">") + escape(text) + "</" + tag + ">";
  };
  std::string s = "<div class=\"scroll\"><table><thead><tr>";
  for (std::size_t c = 0; c < t.header.size(); ++c) s += cell("th", c, t.header[c]);
  s += "</tr></thead><tbody>\n";
  for (const auto& row : t.rows) {
    s += "<tr>";
    for (std::size_t c = 0; c < std::max(row.size(), t.header.size()); ++c) s += cell("td", c, c < row.size() ? row[c] : "");
    s += "</tr>\n";
  }
  return s + "</tbody></table></div>\n";
}

std::string badge(const std::string& verdict) {
  const auto is = [&](const char* word) { return verdict.rfind(word, 0) == 0; };
  const bool good = is("holds"), warn = is("marginal") || is("partly"), bad = is("does not hold") || is("failed");
  return std::string("<span class=\"badge") +
         (good   ? " good\">✓ "
          : warn ? " warn\">≈ "
          : bad  ? " bad\">✗ "
                 : "\">") +
         escape(verdict) + "</span>";
}

std::string with_signs(const std::string& target) {
  if (target.rfind("<=", 0) == 0) return "≤" + target.substr(2);
  return target.rfind(">=", 0) == 0 ? "≥" + target.substr(2) : target;
}

std::string claim_rows(const std::vector<ClaimRow>& claims, bool gates) {
  std::string s;
  for (const auto& c : claims) {
    if (c.gate != gates) continue;
    s += "<tr><td>" + escape(c.statement) + "<span class=\"id\">" + escape(c.id) + "</span></td>";
    if (!gates) s += "<td data-label=\"paper\">" + escape(c.paper) + "</td>";
    s += "<td class=\"n\" data-label=\"target\">" + escape(with_signs(c.target)) + "</td><td class=\"n\" data-label=\"measured\">" +
         escape(c.measured) + "</td><td class=\"n\" data-label=\"95 % interval\">" + escape(c.interval) +
         "</td><td data-label=\"verdict\">" + badge(c.verdict) + "</td></tr>\n";
  }
  if (s.empty()) return s;
  return std::string("<div class=\"scroll\"><table class=\"claims\"><thead><tr><th>") +
         (gates ? "Our implementation" : "The paper's claim") + "</th>" + (gates ? "" : "<th>Paper</th>") +
         "<th class=\"n\">Target</th><th class=\"n\">Measured</th><th class=\"n\">95 % "
         "interval</th><th>Verdict</th></tr></thead><tbody>\n" +
         s + "</tbody></table></div>\n";
}

}  // namespace

Html::Html(std::string title) : title_(std::move(title)) {}

void Html::notice(std::string text) {
  if (std::find(notices_.begin(), notices_.end(), text) == notices_.end()) notices_.push_back(std::move(text));
}
void Html::card(std::string label, std::string value, std::string note, int good) {
  cards_.push_back({std::move(label), std::move(value), std::move(note), good});
}
void Html::section(std::string title) { blocks_.push_back({std::move(title), "", false}); }
void Html::paragraph(std::string text) { blocks_.push_back({"", "<p>" + escape(text) + "</p>\n", false}); }
void Html::code(std::string text) { blocks_.push_back({"", "<pre>" + escape(text) + "</pre>\n", false}); }
void Html::fact(std::string name, std::string value) { facts_.emplace_back(std::move(name), std::move(value)); }

void Html::figure(std::string svg, std::string caption, bool wide) {
  const bool natural = svg.find("<image ") != std::string::npos;  // pictures keep their size
  blocks_.push_back({"",
                     std::string("<figure") + (natural ? " class=\"natural\"" : "") + "><div class=\"art\">" + svg + "</div>" +
                         (caption.empty() ? "" : "<figcaption>" + escape(caption) + "</figcaption>") + "</figure>\n",
                     !wide});
}

void Html::table(Table t, std::string caption) {
  blocks_.push_back(
      {"", "<figure>" + table_html(t) + (caption.empty() ? "" : "<figcaption>" + escape(caption) + "</figcaption>") + "</figure>\n",
       false});
}

std::string Html::body() const {
  std::string s, nav;
  bool open = false, pair = false;
  std::size_t sections = 0;
  const auto end_pair = [&] {
    if (pair) s += "</div>\n";
    pair = false;
  };
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& b = blocks_[i];
    if (!b.section.empty()) {
      end_pair();
      if (open) s += "</section>\n";
      const std::string id = "s" + std::to_string(++sections);
      s += "<section id=\"" + id + "\"><h2>" + escape(b.section) + "</h2>\n";
      nav += "<a href=\"#" + id + "\">" + escape(b.section) + "</a>\n";
      open = true;
      continue;
    }
    if (!open) s += "<section>\n", open = true;
    if (b.narrow && !pair) s += "<div class=\"pair\">\n", pair = true;
    if (!b.narrow) end_pair();
    s += b.html;
  }
  end_pair();
  if (open) s += "</section>\n";
  std::string claims;
  if (!claims_.empty()) {
    claims = "<section id=\"claims\"><h2>Claims and gates</h2>\n" + claim_rows(claims_, false) + claim_rows(claims_, true) + "</section>\n";
    nav = "<a href=\"#claims\">Claims and gates</a>\n" + nav;
  }
  std::string tail;
  if (!repeat_.empty() || !facts_.empty() || !config_.empty()) {
    tail = "<section id=\"repeat\"><h2>How to repeat this</h2>\n";
    nav += "<a href=\"#repeat\">How to repeat this</a>\n";
    if (!repeat_.empty()) tail += "<pre>" + escape(repeat_) + "</pre>\n";
    if (!facts_.empty()) {
      tail += "<dl class=\"facts\">";
      for (const auto& [name, value] : facts_) tail += "<dt>" + escape(name) + "</dt><dd>" + escape(value) + "</dd>\n";
      tail += "</dl>\n";
    }
    if (!config_.empty()) tail += "<details><summary>Settings used</summary><pre>" + escape(config_) + "</pre></details>\n";
    tail += "</section>\n";
  }
  return (sections >= 2 ? "<nav aria-label=\"Contents\">\n" + nav + "</nav>\n" : "") + claims + s + tail;
}

std::string Html::text() const {
  std::string s =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n<title>" +
      escape(title_) + "</title>\n<style>" + detail::style + "</style>\n</head>\n<body>\n<main>\n<header>\n";
  if (!subtitle_.empty()) s += "<p class=\"over\">" + escape(subtitle_) + "</p>\n";
  s += "<h1>" + escape(title_) + "</h1>\n";
  if (!summary_.empty()) s += "<p class=\"lead\">" + escape(summary_) + "</p>\n";
  for (const auto& n : notices_) s += "<p class=\"notice\" role=\"note\">" + escape(n) + "</p>\n";
  s += "</header>\n";
  if (!cards_.empty()) {
    s += "<dl class=\"cards\">\n";
    for (const auto& c : cards_)
      s += std::string("<div class=\"card") +
           (c.good > 0   ? " good"
            : c.good < 0 ? " bad"
                         : "") +
           "\"><dt>" + escape(c.label) + "</dt><dd class=\"value\">" + escape(c.value) + "</dd>" +
           (c.note.empty() ? "" : "<dd class=\"note\">" + escape(c.note) + "</dd>") + "</div>\n";
    s += "</dl>\n";
  }
  s += body();
  return s + "<footer>Made by Apical " + escape(version()) +
         ". This page is one file and loads nothing.</footer>\n</main>\n</body>\n</html>\n";
}

void Html::write(const std::filesystem::path& path) const { write_file(path, text()); }

}  // namespace apical::report
