# SPDX-License-Identifier: GPL-3.0-or-later
"""A milter behind ours that refuses, drops or holds by a word in the subject.  Argument: its socket, as inet:PORT@HOST."""

# mypy: disable-error-code=attr-defined

import sys

import Milter


class LaterMilter(Milter.Base):
    """Knows REFUSE, DEFER, DROP and HOLD."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = ""

    def envfrom(self, sender: str, *parameters: str) -> int:
        self.subject = ""
        return int(Milter.CONTINUE)

    def header(self, name: str, value: str) -> int:
        if name.lower() == "subject":
            self.subject = value
        return int(Milter.CONTINUE)

    def data(self) -> int:
        return int(Milter.CONTINUE)

    def eom(self) -> int:
        if "HOLD" in self.subject:
            self.quarantine("asked for by the subject")
        answers = {"REFUSE": Milter.REJECT, "DEFER": Milter.TEMPFAIL, "DROP": Milter.DISCARD}
        return int(next((answer for word, answer in answers.items() if word in self.subject), Milter.CONTINUE))


if __name__ == "__main__":
    Milter.factory = LaterMilter
    Milter.set_flags(Milter.QUARANTINE)
    Milter.runmilter("later", sys.argv[1], 30)
