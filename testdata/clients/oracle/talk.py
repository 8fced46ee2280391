"""One conversation with the broker, written down as it goes."""
import struct
import time

from wire import (BODY, CONTENT, HEADER, HEARTBEAT, METHOD, METHODS, Closed, Wire, decode, decode_header, encode, frame,
                  header, show)

CAPABILITIES = {"authentication_failure_close": True, "consumer_cancel_notify": True, "connection.blocked": True,
                "basic.nack": True, "publisher_confirms": True}
REPLIES = {"basic.get": ("basic.get-ok", "basic.get-empty")}


class Talk:
    """A connection whose answers go to a list of lines."""

    def __init__(self, url, lines, capabilities=None):
        self.url, self.lines = url, lines
        self.wire = Wire(url)
        self.open_channels, self.closed = set(), False
        self.capabilities = CAPABILITIES if capabilities is None else capabilities
        self.named = {"queue": set(), "exchange": set()}

    def say(self, text):
        self.lines.append(text)

    # The handshake, as a whole or in steps.

    def start(self, heartbeat=0, frame_max=131072, channel_max=2047, vhost=None):
        self.wire.raw(b"AMQP\x00\x00\x09\x01")
        self.until("connection.start", quiet=True)
        self.start_ok(self.wire.user, self.wire.password)
        self.until("connection.tune", quiet=True)
        self.wire.send(0, "connection.tune-ok", channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat)
        self.wire.send(0, "connection.open", vhost=self.wire.vhost if vhost is None else vhost)
        self.until("connection.open-ok", quiet=True)
        return self

    def start_ok(self, user, password, mechanism="PLAIN", response=None):
        if response is None:
            response = b"\0" + user.encode() + b"\0" + password.encode()
        self.wire.send(0, "connection.start-ok", client_properties={"product": "oracle", "capabilities": self.capabilities},
                       mechanism=mechanism, response=response, locale="en_US")

    def channel(self, *numbers):
        for n in numbers:
            self.wire.send(n, "channel.open")
            self.until("channel.open-ok", quiet=True)
            self.open_channels.add(n)
        return self

    # What is said.

    def ask(self, ch, name, **args):
        """Send a method and write down what comes back, up to its reply or (without one) to a fence behind it."""
        mark = len(self.lines)
        shown = " ".join(f"{k}={show(v)}" for k, v in args.items())
        self.say(f"> {ch} {name} {shown}".rstrip())
        self.remember(name, args)
        try:
            self.wire.send(ch, name, **args)
            self.reply(ch, name, args)
        except Closed as err:
            self.over(err)
        return "\n".join(self.lines[mark + 1:])

    def remember(self, name, args):
        if name in ("queue.declare", "exchange.declare"):
            noun = name.split(".")[0]
            self.named[noun].add(args.get(noun, ""))

    def reply(self, ch, name, args):
        waits = REPLIES.get(name, (name + "-ok",))
        if waits[0] in METHODS and not args.get("nowait"):
            self.until(*waits)
        else:
            self.fence(ch)

    def publish(self, ch, key, body=b"", exchange="", mandatory=0, immediate=0, fence=True, **props):
        body = body if isinstance(body, bytes) else body.encode()
        self.say(f"> {ch} publish exchange={exchange!r} key={key!r} body={body[:20]!r} mandatory={mandatory} {show(props)}")
        data = frame(METHOD, ch, encode("basic.publish", exchange=exchange, routing_key=key, mandatory=mandatory,
                                        immediate=immediate)) + frame(HEADER, ch, header(len(body), **props))
        try:
            self.wire.raw(data + (frame(BODY, ch, body) if body else b""))
            if fence:
                self.fence(ch)
        except Closed as err:
            self.over(err)

    def frames(self, about, *raw, wait=1.0):
        """Send raw bytes and write down all that comes back until silence."""
        self.say(f"> {about}")
        try:
            self.wire.raw(b"".join(raw))
        except Closed as err:
            return self.over(err)
        return self.drain(wait)

    # What is heard.

    def fence(self, ch):
        """channel.flow(active) changes nothing and is answered in order."""
        if ch not in self.open_channels:
            return self.drain(0.5)
        self.wire.send(ch, "channel.flow", active=1)
        return self.until("channel.flow-ok", hide="channel.flow-ok")

    def until(self, *names, quiet=False, hide=None, timeout=6):
        """Hear events until one of names, a close, or the time limit."""
        while True:
            heard = self.hear(timeout, quiet, hide)
            if heard is None:
                self.say("< (nothing)")
                return None
            if heard in names or heard.endswith(".close") or heard == "protocol header":
                return heard

    def drain(self, silence=0.25):
        """Hear events until nothing comes for that many seconds."""
        try:
            while not self.closed and self.hear(silence) is not None:
                pass
        except Closed as err:
            self.over(err)

    def hear(self, timeout, quiet=False, hide=None):
        got = self.wire.read(timeout)
        if got is None:
            return None
        kind, ch, payload = got
        if kind == HEARTBEAT:
            self.say("< heartbeat")
            return "heartbeat"
        if kind != METHOD:
            self.say(f"< {kind} {ch} {payload!r}")
            return str(kind)
        name, args = decode(payload)
        content = self.content() if name in CONTENT else ""
        if name != hide and not (quiet and not name.endswith(".close")):
            self.say(f"< {ch} {name} " + " ".join([f"{k}={show(v)}" for k, v in args.items()]) + content)
        self.answer_close(ch, name)
        return name

    def content(self):
        size, props = decode_header(self.wire.read(5)[2])
        body = b""
        while len(body) < size:
            body += self.wire.read(5)[2]
        return f" body={body[:40]!r} properties={show(props)}"

    def answer_close(self, ch, name):
        if name == "channel.close":
            self.wire.send(ch, "channel.close-ok")
            self.open_channels.discard(ch)
        if name == "connection.close":
            self.wire.send(0, "connection.close-ok")
            began = time.monotonic()
            try:
                while self.wire.read(5) is not None:
                    pass
                self.say("< (socket left open for 5 s)")
            except Closed:
                self.say(f"< (socket closed{self.after(began)})")
            self.closed = True
            self.wire.close()

    @staticmethod
    def after(began):
        took = time.monotonic() - began
        return f" after {round(took)} s" if took > 0.5 else ""

    def over(self, err):
        if not self.closed:
            self.say(f"< (socket closed {err})")
        self.closed = True

    def end(self):
        """Close politely, so that what is exclusive is gone before the next conversation."""
        if not self.closed:
            try:
                self.wire.send(0, "connection.close", code=200, text="OK")
                while decode(self.wire.read(5)[2])[0] != "connection.close-ok":
                    pass
            except (Closed, TypeError, IndexError, struct.error):
                pass
        self.wire.close()


def clean(url, named):
    """Delete the queues and exchanges that a conversation left."""
    t = Talk(url, [])
    t.start().channel(1)
    for name in named["queue"]:
        if name and not name.startswith("amq."):
            t.ask(1, "queue.delete", queue=name)
    for name in named["exchange"]:
        if name and not name.startswith("amq."):
            t.ask(1, "exchange.delete", exchange=name)
    t.end()
