# SPDX-License-Identifier: GPL-3.0-or-later
"""One mail on its way in: envelope, header fields as bytes, body in memory until it is large, then in a journal draft."""

from collections.abc import Callable, Iterator

from tradepost.journal import Draft

LINE_END = b"\r\n"


class Transaction:
    """State between MAIL FROM and the answer to EOM.  A connection carries many; each starts in `envfrom`.

    Header values are kept as Postfix sent them, leading white space and folding (as LF) included, so that `raw_header`
    gives back the bytes of the queue file.  `head` holds the first `head_limit` body bytes for classifying.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_head_limit",
        "_open_draft",
        "_raw_header",
        "_spill_limit",
        "draft",
        "esmtp",
        "failed",
        "fields",
        "may_store",
        "recipients",
        "sender",
        "spill_error",
    )

    def __init__(
        self, sender: str, esmtp: tuple[str, ...], *, head_limit: int, spill_limit: int, open_draft: Callable[[], Draft]
    ) -> None:
        self.sender = sender
        self.esmtp = esmtp
        self.recipients: list[str] = []
        self.fields: list[tuple[bytes, bytes]] = []
        self.failed = False  # a callback of ours failed: what was collected may be incomplete
        self.may_store = True  # False: policy keeps this mail out of any file
        self.draft: Draft | None = None
        self.spill_error: OSError | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._raw_header: bytes | None = None
        self._head_limit = head_limit
        self._spill_limit = spill_limit
        self._open_draft = open_draft

    def add_body(self, chunk: bytes) -> None:
        """Take the next piece of the body; beyond the limit it goes to disk, or nowhere when it must not be kept."""
        has_head = self._body_bytes >= self._head_limit
        self._body_bytes += len(chunk)
        if self.draft is not None:
            self._spill(chunk)
            return
        if has_head and (self.spill_error is not None or not self.may_store):
            return
        self._body.append(chunk)
        if self.may_store and self._body_bytes > self._spill_limit:
            self._start_spilling()

    def _start_spilling(self) -> None:
        try:
            self.draft = self._open_draft()
            self.draft.write(self.raw_header())
            for chunk in self._body:
                self.draft.write(chunk)
        except OSError as error:
            self._stop_spilling(error)
        self._body = [b"".join(self._body)[: self._head_limit]]

    def _spill(self, chunk: bytes) -> None:
        assert self.draft is not None
        try:
            self.draft.write(chunk)
        except OSError as error:
            self._stop_spilling(error)

    def _stop_spilling(self, error: OSError) -> None:
        self.spill_error = error
        if self.draft is not None:
            self.draft.abandon()
            self.draft = None

    def raw_header(self) -> bytes:
        """Return the header block with CRLF line ends and the empty line behind it.  Not before the body begins."""
        if self._raw_header is None:
            lines = [
                name + b":" + (value.replace(b"\r\n", b"\n").replace(b"\n", LINE_END) if b"\n" in value else value)
                for name, value in self.fields
            ]
            self._raw_header = LINE_END.join([*lines, b"", b""])
        return self._raw_header

    def head(self) -> bytes:
        """Return the beginning of the body for classifying."""
        return b"".join(self._body)[: self._head_limit]

    def is_cut(self) -> bool:
        """Is the body longer than its head?"""
        return self._body_bytes > self._head_limit

    def raw_chunks(self) -> Iterator[bytes]:
        """Yield the whole message; only for a mail that was not spilled."""
        yield self.raw_header()
        yield from self._body

    def raw_bytes(self) -> int:
        """Return the octets of the whole message."""
        return len(self.raw_header()) + self._body_bytes

    def abandon(self) -> None:
        """Forget the mail: the client gave up, or it was not to be kept."""
        if self.draft is not None:
            self.draft.abandon()
            self.draft = None
        self._body = []
