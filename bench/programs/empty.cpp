// SPDX-License-Identifier: BSD-3-Clause
int halvm_main() { return 0; }
