// SPDX-License-Identifier: BSD-3-Clause
// feature: `std::filesystem::path`
#include "report.hpp"

#include <filesystem>

using std::filesystem::path;

int halvm_main() {
    const path file = path{"/srv/www"} / "site" / "index.html";
    HALVM_CHECK(file.filename() == "index.html" && file.stem() == "index" && file.extension() == ".html");
    HALVM_CHECK(file.parent_path() == "/srv/www/site" && file.is_absolute() && file.root_directory() == "/");
    HALVM_CHECK(path{"a/./b/../c"}.lexically_normal() == "a/c");
    HALVM_CHECK(path{"/a/d"}.lexically_relative("/a/b/c") == "../../d");
    HALVM_CHECK(std::distance(file.begin(), file.end()) == 5);
    path other = file;
    other.replace_extension("txt");
    HALVM_CHECK(other.filename() == "index.txt" && !(other < file));
    return report::verdict("path");
}
