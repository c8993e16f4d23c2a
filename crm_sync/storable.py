# SPDX-License-Identifier: GPL-3.0-or-later
"""Make of hostile mail what every database takes: no lone surrogates, no NUL, nothing longer than its column.

This is the one place for it: everything that recording writes was found in what these functions return.
"""

from dataclasses import replace
from datetime import UTC, datetime

from tradepost.addresses import LONGEST_ADDRESS
from tradepost.arrival import Arrival
from tradepost.envelope import Client, Envelope
from tradepost.message import Address, Message, Part

_LONGEST_NAME = 300
_LONGEST_TYPE = 255
_LONGEST_WORD = 255  # of the client: host name, HELO, cipher


def storable(text: str) -> str:
    """Return the text with a sign of replacement for what no database takes (PostgreSQL refuses NUL)."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def storable_arrival(arrival: Arrival) -> Arrival:
    """Return the arrival with an envelope that can be stored; nearly always that is itself."""
    envelope = _storable_envelope(arrival.envelope)
    return arrival if envelope == arrival.envelope else replace(arrival, envelope=envelope)


def _storable_envelope(envelope: Envelope) -> Envelope:
    client = envelope.client
    return replace(
        envelope,
        sender=storable(envelope.sender)[:LONGEST_ADDRESS],
        recipients=tuple(storable(recipient)[:LONGEST_ADDRESS] for recipient in envelope.recipients),
        client=Client(
            name=storable(client.name)[:_LONGEST_WORD],
            address=storable(client.address)[:_LONGEST_WORD],
            helo=storable(client.helo)[:_LONGEST_WORD],
            tls=storable(client.tls)[:_LONGEST_WORD],
            login=storable(client.login)[:LONGEST_ADDRESS],
            daemon_name=storable(client.daemon_name)[:_LONGEST_WORD],
        ),
    )


def storable_message(message: Message) -> Message:
    """Return the message with texts that can be stored; ids that are only digested stay as they are."""
    return replace(
        message,
        subject=storable(message.subject),
        from_=_storable_address(message.from_),
        reply_to=tuple(map(_storable_address, message.reply_to)),
        to=tuple(map(_storable_address, message.to)),
        cc=tuple(map(_storable_address, message.cc)),
        message_id=storable(message.message_id),
        date=_storable_date(message.date),
        text=storable(message.text),
        html=storable(message.html),
        enclosed_from=_storable_address(message.enclosed_from) if message.enclosed_from else None,
    )


def storable_part(part: Part) -> Part:
    """Return the part without its payload, with names that can be stored."""
    return replace(
        part, payload=b"", filename=storable(part.filename), content_type=storable(part.content_type)[:_LONGEST_TYPE]
    )


def _storable_address(address: Address) -> Address:
    return Address(storable(address.address)[:LONGEST_ADDRESS], storable(address.name)[:_LONGEST_NAME])


def _storable_date(date: datetime | None) -> datetime | None:
    try:
        return date.astimezone(UTC) if date else None
    except OverflowError:  # the year 1 or 9999, shifted over the edge by its zone
        return None
