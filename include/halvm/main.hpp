// SPDX-License-Identifier: BSD-3-Clause
// The one function that a program must define.
#pragma once

/// Runs after the constructors of static objects. Its value is the program's exit status, as main()'s is:
/// 0 powers the domain off, anything else is printed and reported to the toolstack first.
int halvm_main();
