# SPDX-License-Identifier: BSD-3-Clause
"""How ldkernel refuses: every message says what is wrong, where, and what to do."""

from __future__ import annotations

USAGE = 2
REFUSED = 1


class Refusal(Exception):
    """The image is not made. Each message is printed as one paragraph; exit_code is the process's."""

    def __init__(self, *messages: str, exit_code: int = REFUSED) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages
        self.exit_code = exit_code


class UsageError(Refusal):
    """The command line itself is wrong: an unknown option, or one that a kernel cannot have."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages, exit_code=USAGE)
