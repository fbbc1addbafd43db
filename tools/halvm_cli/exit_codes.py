# SPDX-License-Identifier: BSD-3-Clause
"""What the command exits with when it is not the program's own status."""

TIMED_OUT = 124  # as timeout(1)
TOOL_FAILED = 125  # the command itself could not do it; nothing is known of the program
CRASHED = 134  # the guest panicked or crashed: what a shell shows for abort()
INTERRUPTED = 130  # Ctrl-C; 128 and its number for another signal
