// SPDX-License-Identifier: BSD-3-Clause
#include "pages.hpp"

halvm::const_bytes built_in_site() { return {}; }
