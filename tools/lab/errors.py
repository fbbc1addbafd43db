# SPDX-License-Identifier: BSD-3-Clause
"""The one exception that tools show to people: what failed, and what to do next."""

from __future__ import annotations


class LabError(Exception):
    """A failure with a message for the user and, where one is known, the next step."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n  {self.hint}" if self.hint else text
