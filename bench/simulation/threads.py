# SPDX-License-Identifier: GPL-3.0-or-later
"""One thread of mail as its writers make it: headers by their programs, words by their language, and the truth beside it."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

from bench.simulation.mails import Mail, Mailbox
from bench.simulation.programs import thread_index
from bench.simulation.wording import GOODS, WORDS, Wording
from bench.simulation.world import Human, Kind, Party, World
from tradepost.addresses import address_key
from tradepost.verdict import Direction


class Thread:
    """`say` makes the next mail.  `party` is whose thread it is; `accepted` are parties it may as well hang on."""

    def __init__(
        self, world: World, chance: random.Random, at: datetime, party: Party, number: int, *situations: str
    ) -> None:
        self.world = world
        self.chance = chance
        self.at = at
        self.party = party
        self.number = number
        self.situations = situations
        self.accepted: tuple[Party, ...] = ()
        self.subject = ""
        self.mails: list[Mail] = []
        self.goods = chance.choice(GOODS)

    @property
    def named(self) -> frozenset[str]:
        """Every address that a recorded mail of it names."""
        return frozenset(one[1] for mail in self.mails if mail.is_recorded for one in (mail.sender, *mail.to, *mail.cc))

    def wait(self, hours: float) -> None:
        """Let time go by."""
        self.at += timedelta(hours=self.chance.expovariate(1 / hours) + 0.02)

    def fill(self, sentence: str) -> str:
        """Fill one sentence with figures of its own."""
        chance = self.chance
        return sentence.format(
            g=self.goods, n=f"{chance.choice('ABKPQT')}{chance.randrange(1000, 99999)}", q=chance.randrange(20, 9000),
            p=f"{chance.uniform(0.5, 90):.2f}", c=chance.choice(self.party.place.cities),
            d=f"{chance.randrange(1, 29)}.{chance.randrange(1, 13)}.", co=self.party.spellings[0],
        )  # fmt: skip

    def words(self, human: Human) -> Wording:
        """Return how he writes: our reps in the language of the other side, where they know it."""
        if human.party.kind is not Kind.OWN:
            return WORDS[human.party.place.language]
        language = self.party.place.language
        return WORDS[language if language in ("zh", "es", "de") and self.number % 2 else "en"]

    def open_subject(self, human: Human) -> str:
        """Draw the subject of a new thread."""
        self.subject = self.fill(self.chance.choice(self.words(human).subjects))
        return self.subject

    def say(
        self,
        human: Human,
        to: tuple[Mailbox, ...],
        *sentences: str,
        answers: Mail | None = None,
        cc: tuple[Mailbox, ...] = (),
        subject: str = "",
        signed: bool | None = None,
        address: str = "",
        category: str = "inquiry",
        is_forward: bool = False,
        links_known: bool = True,
        message_id: str = "",
        **more: object,
    ) -> Mail:
        """Make the next mail of this thread, written by `human`."""
        chance, program, words = self.chance, human.program, self.words(human)
        address = address or human.address
        is_own = human.party.kind is Kind.OWN
        if signed is None:
            signed = program.signs and chance.random() < human.signs
        lines, evidence = self._sign(human) if signed else ([], ())
        filled = [self.fill(sentence) for sentence in sentences]
        written = "\n".join((chance.choice(words.greet), "", *filled))
        closing = [chance.choice(words.close), "", *lines] if lines else [human.name if chance.random() < 0.6 else ""]
        if program.name == "phone" and not lines:
            closing = ["Sent from my iPhone"]
        quoted = _quote(answers, program.quotes) if answers is not None else ""
        mail = Mail(
            at=self.at,
            direction=Direction.OUTBOUND if is_own else Direction.INBOUND,
            sender=(human.name, address),
            to=to,
            cc=cc,
            subject=subject or self._subject_of(human, answers, is_forward),
            text=f"{written}\n\n" + "\n".join(closing) + f"\n\n{quoted}",
            written=written,
            message_id=message_id or program.message_id(chance, address.rpartition("@")[2], self.at),
            parties=(self.party.id, *(party.id for party in self.accepted)),
            thread=self.number,
            situations=self.situations,
            category=category,
            language=human.party.place.language,
            **more,  # type: ignore[arg-type]
        )
        self._refer(mail, human, answers)
        mail.recipients = tuple(box[1] for box in (*to, *cc))
        if is_own:
            mail.login = mail.operator = human.address
            if all(domain.endswith(".example") for domain in mail.recipients):
                mail.direction = Direction.INTERNAL
        mail.links = self._links(mail) if links_known else ()
        # Who stands in the copy may be of any firm: only whom it is from, or to, tells whose it is.
        outside = [address] if not is_own else [to[0][1]]
        mail.evidence = (*self._evidence(outside, mail), *evidence)
        self.mails.append(mail)
        return mail

    def _subject_of(self, human: Human, answers: Mail | None, is_forward: bool) -> str:
        if answers is None:
            return self.subject
        words = self.words(human)
        if is_forward:
            return words.forward + answers.subject
        if human.party.kind is Kind.OWN and self.number % 3 == 0:
            words = WORDS["zh"]  # his program speaks Chinese, whatever he writes in
        prefix = human.program.prefix or ("RE: " if human.program.has_index and words.reply == "Re: " else words.reply)
        return answers.subject if answers.subject.startswith(prefix) else prefix + answers.subject

    def _refer(self, mail: Mail, human: Human, answers: Mail | None) -> None:
        program = human.program
        if program.has_index:
            mail.index = thread_index(self.chance, self.at, answers.index if answers else b"")
            mail.topic = self.subject
        if answers is None:
            return
        mail.in_reply_to = answers.message_id if program.replies else ""
        if program.references:
            older = answers.references or ((answers.in_reply_to,) if answers.in_reply_to else ())  # RFC 5322, 3.6.4
            names = tuple(dict.fromkeys((*older, answers.message_id)))
            mail.references = names if program.references < 0 else names[-program.references - 1 :]

    def _links(self, mail: Mail) -> tuple[Mail, ...]:
        """Return the recorded mails of this thread that ids or Thread-Index lead to; of one id only the newest."""
        named = {mail.in_reply_to, *mail.references} - {""}
        found = {}
        for other in self.mails:
            if other.is_recorded and other.message_id in named:
                found[other.message_id] = other
        known = set(found)
        for other in self.mails:  # both name a mail that never came
            if other.is_recorded and {other.in_reply_to, *other.references} & (named - known):
                found[other.message_id] = other
        links = list(found.values())
        if mail.index:
            links += [other for other in self.mails if other.is_recorded and other.index[:22] == mail.index[:22]][-1:]
        return tuple(links)

    def _evidence(self, outside: list[str], mail: Mail) -> tuple[tuple[int, str], ...]:
        found = []
        for party in (self.party, *self.accepted):
            for address in outside:
                key = address_key(address)
                human = next((one for one in party.people if key in (one.address, one.other_address)), None)
                domain = next((domain for domain in party.domains if key.endswith((f"@{domain}", f".{domain}"))), "")
                if human is not None:
                    found.append((party.id, f"a:{key}"))
                if domain and not party.is_shared:
                    found.append((party.id, f"d:{domain}"))
        return tuple(found)

    def _sign(self, human: Human) -> tuple[list[str], tuple[tuple[int, str], ...]]:
        """Return the lines of a signature and what it tells."""
        chance, party, words = self.chance, human.party, self.words(human)
        spelling = party.spellings[0] if chance.random() < 0.75 else party.spellings[-1]
        lines, evidence = [human.name], [(party.id, f"n:{human.name}|{party.spellings[0]}")]
        if party.is_shared:
            evidence.append((party.id, f"s:{party.spellings[0]}"))
        if human.title and chance.random() < 0.6:
            lines.append(human.title)
        lines.append(spelling)
        if party.phone and chance.random() < 0.85:
            lines.append(f"{words.phone}: {spaced(party.phone)}")
            evidence.append((party.id, f"t:{party.phone}"))
        if human.mobile and chance.random() < 0.5:
            lines.append(f"Mobile: {spaced(human.mobile)}")
            evidence.append((party.id, f"t:{human.mobile}"))
        if party.website and chance.random() < 0.8:
            lines.append(party.website)
            evidence.append((party.id, f"d:{party.domains[0]}"))
        if party.kind is Kind.OWN:
            evidence = []
        return lines, tuple(evidence)


def spaced(phone: str) -> str:
    """Write a number in groups, as in a signature."""
    return f"{phone[:-7]} {phone[-7:-4]} {phone[-4:]}"


def _quote(answers: Mail, style: str) -> str:
    name, address = answers.sender
    text = answers.written.strip()[:600]
    if style == "block":
        return (
            f"________________________________\nFrom: {name} <{address}>\nSent: {answers.at:%d.%m.%Y %H:%M}\n"
            f"To: {', '.join(box[1] for box in answers.to)}\nSubject: {answers.subject}\n\n{text}"
        )
    quoted = "\n".join(f"> {line}" for line in text.split("\n"))
    return f"On {answers.at:%a, %d %b %Y at %H:%M}, {name} <{address}> wrote:\n{quoted}"


def again(mail: Mail, recipient: str) -> Mail:
    """Return the same letter by another transaction, to another pool."""
    return replace(mail, recipients=(recipient,), at=mail.at + timedelta(seconds=2), dated=mail.at, links=(mail,))
