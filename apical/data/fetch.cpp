#include "apical/data/fetch.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "apical/base/error.h"
#include "apical/base/files.h"
#include "apical/base/log.h"
#include "apical/base/machine.h"
#include "apical/base/process.h"
#include "apical/base/stop.h"
#include "apical/formats/bytes.h"

namespace apical::data {
namespace fs = std::filesystem;
namespace {

bool packed(const std::string& name) { return name.ends_with(".gz"); }

std::string unpacked_hash(const fs::path& path) { return sha256_hex(formats::read_bytes(path)); }  // which unpacks gzip

// Where the file lies: as published, or unpacked; empty when neither.
fs::path at(const fs::path& folder, const RemoteFile& file) {
  std::error_code ignored;
  if (fs::is_regular_file(folder / file.name, ignored)) return folder / file.name;
  if (packed(file.name))
    if (const auto plain = folder / file.name.substr(0, file.name.size() - 3); fs::is_regular_file(plain, ignored)) return plain;
  return {};
}

void download(const std::string& url, const fs::path& part) {
  const std::string where = part.string();
  const char* quiet = log_level() >= LogLevel::warn ? "--silent" : "--progress-bar";
  const std::vector<std::string> words{"curl", "--fail", "--location", "--show-error", quiet, "--retry", "3", "--continue-at", "-", "--output", where, url};
  const int code = run_process(words);
  if (code == 127) throw data_error("curl is not installed", url, "Install it: apt-get install curl");
  if (stop_requested()) throw Error(ExitCode::interrupted, "stopped; what has arrived is kept, and the same command goes on");
  if (code != 0) {
    std::error_code ignored;
    if (code == 33 || code == 36) fs::remove(part, ignored);  // the server cannot go on where we stopped
    throw data_error("the download failed (curl's exit code " + std::to_string(code) + ")", url, "Run the command again: it goes on where it stopped.");
  }
}

struct Free {
  void operator()(archive* a) const { archive_read_free(a); }
};

void refuse_member(const std::string& what, const fs::path& zip, const std::string& member) { throw data_error(what, zip.string() + ", member '" + member + "'"); }

}  // namespace

fs::path home_of(const Entry& set, const fs::path& folder) { return (folder.empty() ? cache_folder() / "data" : folder) / set.name; }

std::vector<FileCheck> check_files(const Entry& set, const fs::path& folder) {
  std::vector<FileCheck> all;
  for (const auto& file : set.files) {
    FileCheck c{file.name, FileCheck::State::missing, ""};
    if (const auto path = at(folder, file); !path.empty()) {
      try {
        c.sha256 = unpacked_hash(path);
        c.state = file.sha256.empty() ? FileCheck::State::not_verified : c.sha256 == file.sha256 ? FileCheck::State::good : FileCheck::State::wrong;
      } catch (const Error&) {  // e.g. cut in the middle of its gzip stream
        c.state = FileCheck::State::wrong;
      }
    }
    all.push_back(std::move(c));
  }
  return all;
}

void get(const Entry& set, const fs::path& folder, bool trust) {
  if (!set.verified() && !trust)
    throw usage_error("nobody has verified the hashes of '" + set.name + "'", set.files.front().url, "Add --trust to take what the publisher's address gives.");
  make_folder(folder);
  const auto checks = check_files(set, folder);
  for (std::size_t i = 0; i < set.files.size(); ++i) {
    const auto& file = set.files[i];
    const fs::path target = folder / file.name;
    if (checks[i].state == FileCheck::State::good || checks[i].state == FileCheck::State::not_verified) {
      log_info(file.name + ": is there");
      continue;
    }
    fs::path part = target;
    part += ".part";
    log_info(file.name + ": " + address(set, file));
    download(address(set, file), part);
    std::error_code ignored;
    std::string hash;
    try {
      hash = unpacked_hash(part);
    } catch (const Error& e) {
      fs::remove(part, ignored);
      throw data_error("what arrived is damaged: " + e.message(), address(set, file), "Run the command again.");
    }
    if (!file.sha256.empty() && hash != file.sha256) {
      fs::remove(part, ignored);
      throw data_error("what arrived is not the published file: SHA-256 is " + hash + ", should be " + file.sha256, address(set, file));
    }
    if (file.archive) unpack(part, folder, file.strip);
    fs::rename(part, target);
    if (file.sha256.empty()) log_warn(file.name + ": taken on trust; SHA-256 " + hash);
  }
}

void unpack(const fs::path& zip, const fs::path& folder, bool strip, std::uint64_t limit) {
  const std::unique_ptr<archive, Free> a(archive_read_new());
  if (!a || archive_read_support_format_zip(a.get()) != ARCHIVE_OK) throw internal_error("libarchive does not start", zip.string());
  const auto check = [&](int code) {
    if (code != ARCHIVE_OK && code != ARCHIVE_EOF) {
      const char* text = archive_error_string(a.get());
      throw data_error(std::string("the archive cannot be read: ") + (text ? text : "unknown"), zip.string());
    }
    return code == ARCHIVE_OK;
  };
  check(archive_read_open_filename(a.get(), zip.c_str(), 1 << 16));
  std::uint64_t total = 0;
  std::vector<char> buffer(1 << 16);
  for (archive_entry* e = nullptr; check(archive_read_next_header(a.get(), &e));) {
    const char* raw = archive_entry_pathname(e);
    const std::string member = raw ? raw : "";
    fs::path path = fs::path(member).lexically_normal();
    if (strip) path = path.lexically_relative(*path.begin());
    if (path.empty() || member.empty() || path.is_absolute() || *path.begin() == ".." || *fs::path(member).begin() == "..") refuse_member("a member would leave the folder", zip, member);
    const auto type = archive_entry_filetype(e);
    if (type == AE_IFDIR) {
      make_folder(folder / path);
      continue;
    }
    if (type != AE_IFREG) refuse_member("a member is neither a file nor a folder", zip, member);
    make_folder((folder / path).parent_path());
    AtomicFile out(folder / path);
    for (la_ssize_t n; (n = archive_read_data(a.get(), buffer.data(), buffer.size())) != 0;) {
      if (n < 0) check(static_cast<int>(n));
      total += static_cast<std::uint64_t>(n);
      if (total > limit) refuse_member("the archive holds more than it may", zip, member);
      out.write(buffer.data(), static_cast<std::size_t>(n));
    }
    out.commit();
  }
}

}  // namespace apical::data
