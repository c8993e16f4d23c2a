# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in two years: stories, each a generator of mails in order of time, and all of them merged into one stream."""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from bench.simulation.mails import Mail
from bench.simulation.neighbours import Neighbours, Story, box, some
from bench.simulation.programs import ERP
from bench.simulation.threads import Thread, again, spaced
from bench.simulation.wording import (
    FORWARDERS,
    PITCH,
    WORDS,
)
from bench.simulation.world import POOLS, Human, Kind, Party, World
from tradepost.verdict import Direction

START = datetime(2024, 6, 3, 6, 0, tzinfo=UTC)
YEARS = timedelta(days=730)


@dataclass(slots=True)
class Events(Neighbours):
    """Draws stories.  Everything that happens is by one chance, in one order: the same seed, the same mail."""

    # What strangers may have got hold of: mails of others.
    recent: deque[Mail] = field(default_factory=lambda: deque(maxlen=300))

    def today(self, human: Human, at: datetime) -> Human:
        """Return who he is by now."""
        moved = (at - START) / YEARS >= human.moves_at
        return human.becomes if moved and human.becomes is not None else human

    # Buyers
    def trade(self, at: datetime) -> Story:
        """A buyer asks, or a rep writes to him; they write to and fro, others join."""
        chance = self.chance
        human = self.today(chance.choice(chance.choice(self.world.customers).people), at)
        party = human.party
        is_moved = any(one.becomes is human for one in self.world.maker.movers)
        thread = self.thread(
            at, party, *(["changed company"] if is_moved and "changed company" not in party.traits else [])
        )
        words, rep = thread.words(human), self.rep(party)
        thread.open_subject(human)
        is_first = is_moved and not human.wrote_as_such
        if chance.random() < 0.2 and not is_first:
            last = thread.say(rep, (box(human),), *some(chance, thread.words(rep).rep), category="inquiry")
        else:
            address = human.other_address if human.other_address and chance.random() < 0.3 else human.address
            said = some(chance, words.buyer)
            if is_first:
                said, human.wrote_as_such = [words.joined, *said], True
            to, extra = self.addressed(rep)
            last = thread.say(
                human, to, *said, signed=True if is_first or address != human.address else None, address=address
            )
            if extra and chance.random() < 0.5:
                last.recipients = (last.recipients[0],)
                yield last
                last = again(last, extra)
                thread.mails.append(last)
            elif extra:
                last.recipients = (*last.recipients, extra)
        yield last
        yield from self.go_on(thread, human, rep, last, chance.choice((0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 8)))

    def addressed(self, rep: Human) -> tuple[tuple[tuple[str, str], ...], str]:
        """Return whom a buyer writes to, and another pool where he writes to two."""
        draw = self.chance.random()
        if draw < 0.4:
            return (box(rep),), ""
        if draw < 0.94:
            return (("", POOLS[0]),), ""
        return (("", POOLS[0]), ("", POOLS[1])), POOLS[1]

    def go_on(self, thread: Thread, human: Human, rep: Human, last: Mail, turns: int) -> Story:
        """Let them answer each other `turns` times."""
        chance, party = self.chance, thread.party
        with_us: tuple[tuple[str, str], ...] = ()
        for turn in range(turns):
            thread.wait(20)
            with_us = self.drawn_in(thread, with_us)
            if last.direction is not Direction.OUTBOUND:
                last = self.answer(thread, rep, last, with_us)
                if last.is_recorded:
                    yield last
                yield from self.after_answer(thread, human, rep, last)
                continue
            writer = human
            if len(party.people) > 1 and chance.random() < 0.15:
                writer = self.today(chance.choice(party.people), thread.at)
                writer = writer if writer.party is party else human
            elif thread.accepted and chance.random() < 0.4:
                joined = thread.accepted[-1].people[0]
                writer = joined if joined.address in (one[1] for one in (*last.to, *last.cc)) else human
            address = writer.other_address if writer.other_address and chance.random() < 0.15 else ""
            last = self.reply(thread, writer, rep, last, with_us, address)
            yield last
            if turn > 2 and chance.random() < 0.3:
                return

    def drawn_in(self, thread: Thread, with_us: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """An agent or a forwarder comes into the copy, and from then on he may answer first."""
        chance, party = self.chance, thread.party
        if with_us or thread.accepted:
            return with_us
        draw = chance.random()
        if party.agent is not None and draw < 0.25:
            joins = party.agent
            thread.situations = (*thread.situations, "agent in copy")
        elif draw > 0.96:
            joins = chance.choice(self.world.forwarders)
            thread.situations = (*thread.situations, "forwarder in copy")
        else:
            return with_us
        thread.accepted = (joins,)
        return (box(joins.people[0]),)

    def answer(self, thread: Thread, rep: Human, last: Mail, with_us: tuple[tuple[str, str], ...]) -> Mail:
        """A rep answers whoever wrote last."""
        chance = self.chance
        to = (last.sender,) if not last.reply_to else ((last.sender[0], last.reply_to),)
        if to[0][1].endswith(".example"):
            to = next((mail.sender,) for mail in reversed(thread.mails) if mail.direction is Direction.INBOUND)
        cc = tuple(
            one
            for one in dict.fromkeys((*last.to, *last.cc, *with_us))
            if one[1] != to[0][1] and not one[1].endswith(".example") and last.number >= 0
        )
        subject = thread.open_subject(rep) if chance.random() < 0.03 else ""
        mail = thread.say(rep, to, *some(chance, thread.words(rep).rep), answers=last, cc=cc, subject=subject)
        if subject:
            mail.situations = (*mail.situations, "changed subject")
        if chance.random() < 0.01:  # by a telephone whose provider's server sent it
            mail.is_recorded = False
            thread.situations = (*thread.situations, "answer not recorded")
        return mail

    def after_answer(self, thread: Thread, human: Human, rep: Human, last: Mail) -> Story:
        """What machines and colleagues add."""
        chance, draw = self.chance, self.chance.random()
        party = thread.party
        if draw < 0.03 and human.address == last.to[0][1]:
            away = thread.say(
                human, (last.sender,), thread.words(human).away, subject=f"Automatic reply: {last.subject}", signed=False,
                more=(("Auto-Submitted", "auto-replied"),), category="automatic", is_automatic=True,
            )  # fmt: skip
            away.in_reply_to, away.references, away.index, away.envelope_sender = last.message_id, (), b"", ""
            away.links = thread._links(away)
            away.situations = (*away.situations, "automatic reply")
            yield away
        elif draw < 0.04 and last.is_recorded:
            yield self.bounce(thread, last)
        elif draw < 0.07:
            boss = chance.choice([one for one in self.world.reps if one is not rep])
            note = thread.say(
                rep, (box(boss),), *some(chance, WORDS["zh"].rep), answers=last, is_forward=True, category="other"
            )
            note.situations = (*note.situations, "forwarded among us")
            yield note
        elif draw < 0.073:
            stranger = self.newcomer(thread.at)
            other = thread.say(
                stranger.people[0],
                (last.sender,),
                *some(chance, thread.words(human).answers),
                answers=last,
                signed=True,
            )
            other.situations = (*other.situations, "unknown third party")
            other.parties = (party.id, stranger.id)
            other.evidence = ((stranger.id, f"a:{stranger.people[0].address}"),)
            yield other

    def bounce(self, thread: Thread, last: Mail) -> Mail:
        """A server of theirs, or ours, could not deliver."""
        head = last.raw().partition(b"\r\n\r\n")[0].decode().replace("\r\n", "\n")
        address = last.to[0][1]
        text = (
            "--b\nContent-Type: text/plain\n\nI'm sorry to have to inform you that your message could not be delivered.\n"
            f"<{address}>: user unknown\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
            f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n"
            f"--b\nContent-Type: message/rfc822\n\n{head}\n\n{last.written}\n--b--\n"
        )
        mail = thread.say(
            Human("Mail Delivery System", "mailer-daemon@mx." + address.rpartition("@")[2], ERP, thread.party),
            (last.sender,), subject="Undelivered Mail Returned to Sender", signed=False, is_automatic=True,
            category="automatic", content_type='multipart/report; report-type=delivery-status; boundary="b"',
            more=(("Auto-Submitted", "auto-replied"),),
        )  # fmt: skip
        mail.text, mail.envelope_sender, mail.links = text, "", (last,)
        if self.chance.random() < 0.5:
            mail.in_reply_to = last.message_id
        mail.situations = ("bounce",)
        mail.evidence = ()
        return mail

    def reply(
        self, thread: Thread, writer: Human, rep: Human, last: Mail, with_us: tuple[tuple[str, str], ...], address: str
    ) -> Mail:
        """Somebody of the other side answers."""
        chance = self.chance
        words = thread.words(writer)
        others = last.cc if chance.random() < 0.25 else (*last.to, *last.cc)
        cc = tuple(one for one in dict.fromkeys((*others, *with_us)) if one[1] not in (writer.address, address))
        draw = chance.random()
        subject = thread.open_subject(writer) if draw < 0.05 else ""
        situations = ["changed subject"] if subject else []
        is_forward = 0.05 <= draw < 0.08
        situations += ["forward"] if is_forward else []
        to = (last.sender,) if chance.random() < 0.9 else (("", POOLS[0]),)
        said, category = words.answers, "inquiry"
        if writer.party.kind is Kind.FORWARDER:
            said, category = FORWARDERS[writer.party.place.language][1], "logistics"
        if not last.is_recorded:
            situations.append("answer not recorded")
        signed = True if address and chance.random() < 0.8 else None
        before = set(thread.named)
        mail = thread.say(
            writer, to, *some(chance, said), answers=last, cc=cc, subject=subject, is_forward=is_forward, address=address,
            signed=signed, category=category,
        )  # fmt: skip
        if writer.party is not thread.party:
            situations.append("third party answers")
        elif writer.address not in before:
            situations.append("colleague answers")
        if not writer.program.references and not is_forward:
            situations.append(writer.program.name)
        mail.situations = (*mail.situations, *situations)
        return mail

    def newcomer(self, at: datetime) -> Party:
        """Somebody nobody has heard of."""
        maker = self.world.maker
        place = maker.place()
        name = maker.company_name(place)
        domains = (maker.domain(place, name),) if self.chance.random() < 0.6 else ()
        party = maker.party(
            Kind.CUSTOMER, place, name, domains=domains, owner=self.chance.randrange(len(self.world.reps))
        )
        maker.human(party, domains[0] if domains else "")
        return party

    def ask_for_another(self, at: datetime) -> Story:
        """An agent writes for one of his buyers."""
        chance = self.chance
        agent = chance.choice(self.world.agents)
        buyer, human = chance.choice(agent.buyers), agent.people[0]
        thread = self.thread(at, agent, "agent for a buyer")
        thread.open_subject(human)
        thread.accepted = (buyer,)
        words = thread.words(human)
        first = buyer.people[0]
        is_there = (at - START) / YEARS < first.moves_at
        cc = (box(first),) if chance.random() < 0.4 and is_there else ()
        sentence = words.for_buyer.replace("{co}", buyer.spellings[0].replace("{", ""))
        last = thread.say(human, self.addressed(self.rep(agent))[0], sentence, *some(chance, words.buyer), cc=cc)
        yield last
        yield from self.go_on(thread, human, self.rep(agent), last, chance.choice((0, 1, 2, 3, 4)))

    def platform(self, at: datetime) -> Story:
        """A buyer asks on a B2B platform; it writes in his name."""
        chance = self.chance
        site = chance.choice(self.world.platforms)
        human = self.today(chance.choice(chance.choice(self.world.customers).people), at)
        party = human.party
        thread = self.thread(at, party, "platform")
        thread.open_subject(human)
        is_relayed = chance.random() < 0.4
        alias = f"buyer{chance.randrange(10**9):09}@message.{site.domains[0]}"
        answers_to = alias if is_relayed else human.address
        words = thread.words(human)
        robot = Human(f"{human.name} via {site.spellings[-1]}", site.people[0].address, ERP, site)
        last = thread.say(robot, (("", POOLS[0]),), *some(chance, words.buyer), signed=False, reply_to=answers_to)
        last.text += f"\n\nBuyer: {human.name}\nCompany: {party.spellings[0]}\n"
        if not is_relayed:
            last.text += f"Email: {human.address}\nTel: {spaced(party.phone)}\n"
        last.language = party.place.language
        keys = [(party.id, f"n:{human.name}|{party.spellings[0]}"), (party.id, f"a:{answers_to}")]
        domain = next((d for d in party.domains if answers_to.endswith(d)), "")
        if domain and not party.is_shared:
            keys.append((party.id, f"d:{domain}"))
        last.evidence = tuple(keys)
        yield last
        rep = self.rep(party)
        for _ in range(chance.choice((0, 1, 2))):
            thread.wait(15)
            last = self.answer(thread, rep, last, ())
            if last.is_recorded:
                yield last
            thread.wait(15)
            last = thread.say(
                human, (last.sender,), *some(chance, words.answers), answers=last,
                address=alias if is_relayed else "", signed=None if not is_relayed else False,
            )  # fmt: skip
            if is_relayed:
                last.evidence = (*last.evidence, (party.id, f"a:{alias}"))
            yield last

    def orders(self, at: datetime) -> Story:
        """A machine orders under one Message-ID again and again."""
        chance = self.chance
        party = chance.choice([party for party in self.world.customers if party.erp])
        own_id = "<1@localhost>" if party.id % 5 == 0 else f"<purchase.order@{party.domains[0]}>"
        human = party.people[0]
        for _ in range(chance.choice((4, 8, 12))):
            thread = self.thread(at, party, "reused Message-ID")
            machine = Human("Purchase System", party.erp, ERP, party)
            thread.subject = thread.fill(chance.choice(("Purchase Order {n}", "PO {n}", "Order confirmation required")))
            is_there = (at - START) / YEARS < human.moves_at
            last = thread.say(
                machine, (("", POOLS[0]),), "Please deliver {q} pcs of {g}, order {n}, by {d}.", signed=False,
                message_id=own_id, category="order", reply_to=human.address if is_there else "",
            )  # fmt: skip
            yield last
            if chance.random() < 0.2 and is_there:
                thread.wait(1)
                rep = self.rep(party)
                last = thread.say(rep, (box(human),), *some(chance, thread.words(rep).rep), answers=last)
                yield last
                thread.wait(8)
                yield thread.say(human, (box(rep),), *some(chance, thread.words(human).answers), answers=last)
            at = thread.at + timedelta(days=chance.uniform(3, 30))

    # Who is not what he seems, and who is handed in
    def forge(self, at: datetime) -> Story:
        """A stranger names ids of others' threads, and may quote their subject."""
        chance = self.chance
        if len(self.recent) < 20:
            return
        victim = chance.choice(self.recent)
        party = self.newcomer(at)
        human = party.people[0]
        thread = self.thread(at, party, "forged References")
        is_buyer = chance.random() < 0.5
        thread.open_subject(human)
        if chance.random() < 0.6:
            thread.subject = f"Re: {victim.subject.removeprefix('Re: ')}"
        mail = thread.say(
            human, (("", POOLS[0]),), *some(chance, thread.words(human).buyer if is_buyer else PITCH),
            category="inquiry" if is_buyer else "spam", signed=True,
        )  # fmt: skip
        if not is_buyer:
            party.kind = Kind.PITCH
        mail.references = (*victim.references[-2:], victim.message_id)
        mail.in_reply_to = victim.message_id
        if chance.random() < 0.1:  # takes the id itself, or sent it first
            mail.message_id, mail.references, mail.in_reply_to = victim.message_id, (), ""
        elif victim.index and chance.random() < 0.3:
            mail.index, mail.topic = victim.index, victim.topic
        mail.links = ()
        yield mail
        if is_buyer:
            yield from self.go_on(thread, human, self.rep(party), mail, chance.choice((0, 1, 2, 3)))

    def hand_in(self, at: datetime) -> Story:
        """A rep forwards to the pool what a buyer wrote him elsewhere; then they write to and fro."""
        chance = self.chance
        human = self.today(chance.choice(chance.choice(self.world.customers).people), at)
        party = human.party
        rep = self.rep(party)
        thread = self.thread(at, party, "handed in by a rep")
        thread.open_subject(human)
        original = thread.say(
            human, (("", "old.account@gmail.com"),), *some(chance, thread.words(human).buyer), signed=True
        )
        original.is_recorded = False
        thread.wait(2)
        mail = thread.say(
            rep, (("", POOLS[0]),), "please see below.", answers=original, is_forward=True, signed=False,
            address=rep.other_address if chance.random() < 0.5 else "",
        )  # fmt: skip
        mail.text = (
            f"See below.\n\n---------- Forwarded message ---------\nFrom: {human.name} <{human.address}>\n"
            f"Date: {original.at:%a, %d %b %Y %H:%M}\nSubject: {original.subject}\nTo: <old.account@gmail.com>\n\n{original.text}"
        )
        if mail.sender[1] == rep.other_address:
            mail.direction, mail.login, mail.operator = Direction.INBOUND, "", None
        mail.language = human.party.place.language
        mail.evidence = tuple(dict.fromkeys((*thread._evidence([human.address], mail), *original.evidence)))
        mail.parties = (party.id,)
        yield mail
        yield from self.go_on(thread, human, rep, original, chance.choice((1, 2, 3)))


def happen(world: World, seed: int, mails: int) -> Iterator[Mail]:
    """Yield so many mails in order of arrival, numbered."""
    chance = random.Random(f"{seed} events")
    events = Events(world, chance)
    # (how often of a hundred stories, what)
    plan: tuple[tuple[float, Callable[[datetime], Story]], ...] = (
        (52, events.trade), (8, events.ask_for_another), (4, events.platform), (1.6, events.orders), (5, events.supply),
        (5, events.freight), (6, events.newsletter), (5, events.pitch), (2, events.bank), (6.5, events.forge), (2, events.hand_in),
    )  # fmt: skip
    weights = [weight for weight, _ in plan]
    gap = YEARS / (mails / 3.4)
    waiting: list[tuple[datetime, int, Mail, Story]] = []
    order = count()
    at, number = START, 0
    while number < mails:
        while not waiting or at <= waiting[0][0]:
            story = chance.choices(plan, weights)[0][1](at)
            if (first := next(story, None)) is not None:
                heapq.heappush(waiting, (first.at, next(order), first, story))
            at += gap * chance.expovariate(1)
        _, _, mail, story = heapq.heappop(waiting)
        mail.number = number
        number += 1
        if mail.direction is not Direction.INTERNAL and Kind.NEWSLETTER not in mail.situations:
            events.recent.append(mail)
        yield mail
        if (following := next(story, None)) is not None:
            heapq.heappush(waiting, (following.at, next(order), following, story))
