"""A model test of the hub, its streams and its subscriptions: several users, any interleaving, any loss."""

import hypothesis.strategies as st
from hypothesis.stateful import initialize, precondition, rule

from broker import large_wake_up, wake_up
from hub_model import USERS, HubModel
from parts import FOR_EVER
from slow_readers import BUFFER, Reader, SlowSink
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId, entry_number
from ssechat.redis import keys, subscriptions
from ssechat.streams.stream import Stream

SESSIONS = ("s0", "s1", "s2")
MAX_STREAMS = 8
some_number = st.integers(0, 1000)


class WholeHub(HubModel):
    """The rules: clients connect, leave, read slowly, sign out; Redis answers late, is lost, loses data; time
    passes."""

    @initialize(who=st.lists(some_number, min_size=1, max_size=4), kind=st.sampled_from(["fresh", "all"]))
    def some_are_there_already(self, who: list[int], kind: str) -> None:
        for each in who:
            self.a_reader_attaches(each, each, kind)
        self.redis_is_quick()

    # Clients.

    @precondition(lambda self: len(self.open_readers()) < MAX_STREAMS)
    @rule(
        who=some_number, session=some_number, kind=st.sampled_from(["fresh", "all", "some", "newest", "unknown", "x"])
    )
    def a_reader_attaches(self, who: int, session: int, kind: str) -> None:
        user = USERS[who % len(USERS)]
        inbox = self.inboxes.of[user]
        known = [inbox.birth, *inbox.entries]
        cursor = {"fresh": None, "all": "0-0", "some": known[who % len(known)], "newest": known[-1]}.get(kind, "9-9")
        self.attach(user, SESSIONS[session % len(SESSIONS)], "x" if kind == "x" else cursor, kind)

    @precondition(lambda self: any(reader.left and reader.at for reader in self.readers))
    @rule(which=some_number)
    def a_reader_comes_back(self, which: int) -> None:
        gone = [reader for reader in self.readers if reader.left and reader.at]
        reader = gone[which % len(gone)]
        self.attach(reader.user, reader.session, reader.at, "back")

    def attach(self, user: UserId, session: str, cursor: str | None, kind: str) -> None:
        if session in self.inboxes.ended:
            return
        at = "" if cursor is None or kind in ("all", "unknown", "x") else cursor
        sink = SlowSink()

        def attaching() -> None:
            stream = sink.stream = Stream(self.hub, Identity(user, FOR_EVER, session), self.inboxes.source(user))
            self.readers.append(Reader(user, session, stream, sink, at, kind not in ("unknown", "x")))
            stream.opened(sink, cursor)
            self.hub.attach(stream, cursor, self.inboxes.sign_outs)

        self.do(attaching)

    @precondition(lambda self: self.open_readers())
    @rule(which=some_number)
    def a_reader_leaves(self, which: int) -> None:
        reader = self.one(which)
        reader.left = True
        self.do(reader.stream.lost)

    @precondition(lambda self: self.open_readers())
    @rule(which=some_number)
    def a_reader_stops_reading(self, which: int) -> None:
        self.one(which).sink.reading = False

    @precondition(lambda self: self.open_readers())
    @rule(which=some_number)
    def a_reader_reads_on(self, which: int) -> None:
        self.do(self.one(which).sink.read_on)

    @precondition(lambda self: self.open_readers())
    @rule(which=some_number)
    def a_connection_is_told_that_the_server_stops(self, which: int) -> None:
        reader = self.one(which)
        reader.drained = True
        self.do(reader.stream.drain)

    def one(self, which: int) -> Reader:
        readers = self.open_readers()
        return readers[which % len(readers)]

    @rule(which=some_number, told=st.booleans())
    def somebody_signs_out(self, which: int, told: bool) -> None:
        if len(self.inboxes.ended) < len(SESSIONS) - 1:
            session = SESSIONS[which % len(SESSIONS)]
            self.inboxes.ended.add(session)
            if told:
                self.broker.publish(keys.CONTROL, f"signed_out {session}".encode())

    # Events.

    @rule(who=some_number, count=st.integers(1, 20))
    def events_come_and_their_wake_ups_are_lost(self, who: int, count: int) -> None:
        for _ in range(count):
            self.inboxes.of[USERS[who % len(USERS)]].append()

    @rule(who=some_number, count=st.integers(1, 3), large=st.booleans())
    def events_come(self, who: int, count: int, large: bool) -> None:
        user = USERS[who % len(USERS)]
        inbox = self.inboxes.of[user]
        for _ in range(count):
            inbox.append()
            payload = (large_wake_up if large else wake_up)(inbox, inbox.newest)
            self.broker.publish(keys.live(user), payload)
            if not self.deaf and self.broker.connection is not None:
                self.due[user] = entry_number(inbox.newest) or 0

    @rule(who=some_number, age=st.integers(0, 8))
    def a_wake_up_comes_late_or_again(self, who: int, age: int) -> None:
        user = USERS[who % len(USERS)]
        inbox = self.inboxes.of[user]
        if inbox.entries:
            self.broker.publish(keys.live(user), wake_up(inbox, inbox.entries[-1 - age % len(inbox.entries)]))

    @rule(who=some_number, left=st.integers(0, 3))
    def an_inbox_is_trimmed(self, who: int, left: int) -> None:
        inbox = self.inboxes.of[USERS[who % len(USERS)]]
        inbox.trimmed = max(inbox.trimmed, len(inbox.entries) - left)

    # Rules for rare combinations.

    @rule(who=some_number, large=st.booleans())
    def live_streams_get_a_hole(self, who: int, large: bool) -> None:
        self.redis_is_quick()
        self.events_come_and_their_wake_ups_are_lost(who, 1)
        self.events_come(who, 1, large)
        self.everything_arrives()

    @rule(who=some_number)
    def redis_is_lost_while_a_hole_is_filled(self, who: int) -> None:
        self.live_streams_get_a_hole(who, False)
        self.the_connection_for_commands_is_lost(stays_away=False)
        self.sweep_if_nobody_does()

    @rule(who=some_number, come_back=st.booleans())
    def nobody_listens_while_events_come(self, who: int, come_back: bool) -> None:
        self.redis_is_quick()
        self.the_subscriptions_are_lost(stays_away=not come_back)
        self.events_come(who, 2, False)
        self.time_passes(1)
        self.sweep_if_nobody_does()
        self.redis_is_quick()

    @precondition(lambda self: self.open_readers())
    @rule(which=some_number, seconds=st.sampled_from([1, 16, 62]), reads_on=st.booleans())
    def more_comes_than_a_slow_reader_takes(self, which: int, seconds: int, reads_on: bool) -> None:
        reader = self.one(which)
        self.redis_is_quick()
        reader.sink.reading = False
        self.events_come(USERS.index(reader.user), BUFFER + 3, False)
        self.everything_arrives()
        self.time_passes(seconds)
        self.sweep_if_nobody_does()
        if reads_on:
            self.do(reader.sink.read_on)
        self.redis_is_quick()

    def everything_arrives(self) -> None:
        while self.broker.pushes:
            self.pushes_arrive(4)

    def sweep_if_nobody_does(self) -> None:
        if self.sweeping is None:
            self.the_sweeper_comes_by()

    # Redis, with its commands and pushes in flight.

    @precondition(lambda self: self.broker.commands)
    @rule(count=st.integers(1, 4))
    def redis_takes_subscriptions(self, count: int) -> None:
        for _ in range(min(count, len(self.broker.commands))):
            self.broker.run_command()

    @precondition(lambda self: self.broker.pushes)
    @rule(count=st.integers(1, 4))
    def pushes_arrive(self, count: int) -> None:
        for _ in range(min(count, len(self.broker.pushes))):
            self.do(self.deliver_push)

    def deliver_push(self) -> None:
        _, channel, payload = push if len(push := self.broker.deliver_push()) == 3 else [*push, b""]
        if push[0] == b"message" and channel == keys.CONTROL.encode():
            self.must_end.add(payload.decode().partition(" ")[2])

    @precondition(lambda self: self.inboxes.questions)
    @rule(count=st.integers(1, 3))
    def redis_answers(self, count: int) -> None:
        for question in self.inboxes.questions[:count]:
            question.run()

    @precondition(lambda self: any(question.asked for question in self.inboxes.questions))
    @rule(which=some_number)
    def an_answer_arrives(self, which: int) -> None:
        answered = [question for question in self.inboxes.questions if question.asked]
        question = answered[which % len(answered)]
        self.inboxes.questions.remove(question)
        self.do(question.arrive)

    @rule()
    def redis_is_quick(self) -> None:
        while self.broker.commands or self.broker.pushes or self.inboxes.questions:
            self.redis_takes_subscriptions(4)
            self.pushes_arrive(4)
            self.redis_answers(3)
            if self.inboxes.questions:
                self.an_answer_arrives(0)

    @rule(stays_away=st.booleans())
    def the_connection_for_commands_is_lost(self, stays_away: bool) -> None:
        self.shaken = True
        self.inboxes.away = stays_away
        self.do(self.inboxes.fail)

    @rule(stays_away=st.booleans())
    def the_subscriptions_are_lost(self, stays_away: bool) -> None:
        def losing() -> None:
            if stays_away:
                self.broker.up.clear()
            if self.broker.connection is not None:
                self.broker.connection.abort()

        self.do(losing)

    @rule()
    def redis_is_back(self) -> None:
        self.inboxes.away = False
        self.do(self.broker.up.set)

    # Time.

    @rule(seconds=st.sampled_from([1, 4, 16, 31, 62]))
    def time_passes(self, seconds: int) -> None:
        leaving = [reader for reader in self.open_readers() if reader.drained and seconds > 3]
        for _ in range(seconds):
            self.loop.now += 1
            self.do(lambda: None)
            while self.broker.commands or self.broker.pushes:
                self.redis_takes_subscriptions(4)
                self.pushes_arrive(4)
        assert not any(reader.open for reader in leaving), "the stream is still open after the drain"

    @precondition(lambda self: self.sweeping is None)
    @rule()
    def the_sweeper_comes_by(self) -> None:
        newest = {user: entry_number(inbox.newest) or 0 for user, inbox in self.inboxes.of.items()}
        ended, losses = set(self.inboxes.ended), self.broker.losses
        listens = self.broker.connection is not None and not self.broker.commands and not self.broker.pushes
        audits = self.loop.now - self.hub._audited_at >= 30

        def swept() -> None:
            if listens and losses == self.broker.losses:
                if self.deaf or audits:
                    self.due = {user: max(self.due[user], newest[user]) for user in USERS}
                self.deaf = False
            if audits:
                self.must_end |= ended

        def sweeping() -> None:
            self.sweeping = self.loop.create_task(self.hub.sweep())

        self.shaken, self.after_sweep = self.inboxes.away, swept
        self.do(sweeping)
        for reader in self.open_readers():
            stream, now = reader.stream, self.loop.now
            if stream.paused_at is not None:
                assert now - stream.paused_at <= 60, "a stuck reader is still connected"
            elif not stream.busy:
                assert now - stream.touched_at < 15, "a quiet stream was not pinged"

    # Teardown.

    def teardown(self) -> None:
        try:
            self.settle()
            self.close()
        finally:
            self.loop.run_until_complete(self.hub.close())
            self.loop.close()
            self.patches.undo()

    def settle(self) -> None:
        """Checks that within one audit after Redis's return all streams are level, and that only users with a stream
        are subscribed to."""
        self.redis_is_back()
        self.time_passes(1)
        for reader in self.open_readers():
            self.do(reader.sink.read_on)
        self.redis_is_quick()
        self.time_passes(31)
        self.the_sweeper_comes_by()
        self.redis_is_quick()
        self.check_all()
        assert self.sweeping is None
        for reader in self.open_readers():
            inbox = self.inboxes.of[reader.user]
            assert reader.stream.live, "the stream is not live, although nothing fails"
            assert reader.stream.cursor == inbox.newest == (reader.at or inbox.newest)
        self.time_passes(int(subscriptions.LINGER) + 2)
        wanted = {keys.live(reader.user).encode() for reader in self.open_readers()}
        assert self.broker.subscribed == {keys.CONTROL.encode(), subscriptions.LAST, *wanted}
