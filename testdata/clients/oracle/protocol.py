"""Frames, handshake and channel state: how the broker takes a peer that errs."""
import struct

from cases import case, custom, declare, m, opens, p, wait
from wire import BODY, HEADER, HEARTBEAT, METHOD, Closed, encode, frame, header, short, value

case("second channel.open", m("channel.open"))
case("channel.close, then a method on it", m("channel.close", code=200, text="bye"), declare("q"))
case("method on a channel that is not open", declare("q", ch=5))
case("ack on a channel that is not open", m("basic.ack", ch=5, tag=1))
case("channel.close on a channel that is not open", m("channel.close", ch=5))
case("channel.close-ok out of the blue", m("channel.close-ok"))
case("flow active=false", m("channel.flow", active=0))
case("flow active=true", m("channel.flow", active=1))
case("access.request", m("access.request", realm="/data", read=1))
case("basic.deliver from the client", m("basic.deliver", consumer_tag="c", tag=1))
case("basic.credit", m("basic.credit", consumer_tag="c", credit=1))
case("queue.declare-ok from the client", m("queue.declare-ok", queue="q"))
case("channel.flow-ok out of the blue", m("channel.flow-ok", active=1))
case("basic.cancel-ok out of the blue", m("basic.cancel-ok", consumer_tag="c"))
case("connection.close-ok out of the blue", m("connection.close-ok", ch=0))
case("connection.blocked from the client", m("connection.blocked", ch=0, reason="x"))
case("queue.declare on channel 0", declare("q", ch=0))
case("channel.open on channel 0", m("channel.open", ch=0))
case("connection.open twice", m("connection.open", ch=0, vhost="/"))
case("connection.start-ok again", m("connection.start-ok", ch=0, mechanism="PLAIN", response="\0a\0b", locale="en_US"))
case("connection.close on channel 1", m("connection.close", code=200, text="bye"))
case("connection.update-secret", m("connection.update-secret", ch=0, secret="guest", reason="test"))
case("channel above channel_max", m("channel.open", ch=3000))
PUBLISH = frame(METHOD, 1, encode("basic.publish", routing_key="q"))
QOS = frame(METHOD, 1, encode("basic.qos"))
for about, raw in (
        ("unknown class id 99.10", frame(METHOD, 1, struct.pack(">HH", 99, 10))),
        ("unknown method id 60.99", frame(METHOD, 1, struct.pack(">HH", 60, 99))),
        ("unknown method id 10.99 on channel 0", frame(METHOD, 0, struct.pack(">HH", 10, 99))),
        ("method frame of 3 bytes", frame(METHOD, 1, b"\0\x3c\0")),
        ("queue.declare cut short", frame(METHOD, 1, encode("queue.declare", queue="abc")[:8])),
        ("basic.qos with bytes behind it", frame(METHOD, 1, encode("basic.qos") + b"junk")),
        ("queue.declare with a name that is not UTF-8", frame(METHOD, 1, encode("queue.declare", queue=b"\xff\xfe"))),
        ("queue.declare with a table of an unknown type", frame(METHOD, 1, encode("queue.declare", queue="q")[:-4] + struct.pack(">I", 4) + short("a") + b"?\0")),
        ("queue.declare with a table cut short", frame(METHOD, 1, encode("queue.declare", queue="q")[:-4] + struct.pack(">I", 40) + short("a"))),
        ("header without method", frame(HEADER, 1, header(0))),
        ("body without method", frame(BODY, 1, b"abc")),
        ("method in place of header", PUBLISH + QOS),
        ("body in place of header", PUBLISH + frame(BODY, 1, b"abc")),
        ("method in place of body", PUBLISH + frame(HEADER, 1, header(10)) + QOS),
        ("header in place of body", PUBLISH + frame(HEADER, 1, header(10)) + frame(HEADER, 1, header(10))),
        ("body too long", PUBLISH + frame(HEADER, 1, header(3)) + frame(BODY, 1, b"abcdef")),
        ("body where the header said none", PUBLISH + frame(HEADER, 1, header(0)) + frame(BODY, 1, b"abc")),
        ("empty body frame amid a body", PUBLISH + frame(HEADER, 1, header(3)) + frame(BODY, 1, b"") + frame(BODY, 1, b"abc")),
        ("wrong class in header", PUBLISH + frame(HEADER, 1, header(3, 50))),
        ("header with weight 1", PUBLISH + frame(HEADER, 1, struct.pack(">HHQH", 60, 1, 0, 0))),
        ("header cut short", PUBLISH + frame(HEADER, 1, b"\0\x3c\0\0")),
        ("header with property flags but no properties", PUBLISH + frame(HEADER, 1, struct.pack(">HHQH", 60, 0, 0, 0x8000))),
        ("header of a body of 1 GiB", PUBLISH + frame(HEADER, 1, header(1 << 30))),
        ("header of a body of 2^63", PUBLISH + frame(HEADER, 1, header(1 << 63))),
        ("header with a second word of flags", PUBLISH + frame(HEADER, 1, struct.pack(">HHQHH", 60, 0, 0, 1, 0))),
        ("header with a flag that means nothing", PUBLISH + frame(HEADER, 1, struct.pack(">HHQH", 60, 0, 0, 2))),
        ("header with bytes behind it", PUBLISH + frame(HEADER, 1, header(0) + b"junk")),
        ("header with a table of an unknown type", PUBLISH + frame(HEADER, 1, struct.pack(">HHQHI", 60, 0, 0, 0x2000, 4) + b"\x01a?\0")),
        ("header with a table cut short", PUBLISH + frame(HEADER, 1, struct.pack(">HHQHI", 60, 0, 0, 0x2000, 40) + b"\x01aV")),
        ("header with a float that is no number", PUBLISH + frame(HEADER, 1, struct.pack(">HHQHI", 60, 0, 0, 0x2000, 11) + b"\x01ad\x7f\xf8\0\0\0\0\0\x01")),
        ("header with a content type that is not UTF-8", PUBLISH + frame(HEADER, 1, struct.pack(">HHQH", 60, 0, 0, 0x8000) + b"\x02\xff\xfe")),
        ("header with a field name twice", PUBLISH + frame(HEADER, 1, struct.pack(">HHQHI", 60, 0, 0, 0x2000, 14) + b"\x01aI\0\0\0\x01\x01aI\0\0\0\x02")),
        ("publish with a ticket and all reserved bits", frame(METHOD, 1, struct.pack(">HHHBs", 60, 40, 9, 0, b"\x01") + b"q\xfd") + frame(HEADER, 1, header(0))),
        ("queue.declare with all reserved bits", frame(METHOD, 1, struct.pack(">HHH", 50, 10, 9) + b"\x01z\xe8\0\0\0\0")),
        ("basic.ack with bytes behind it", frame(METHOD, 1, struct.pack(">HHQBB", 60, 80, 1, 0, 9))),
        ("channel.open without its reserved field", frame(METHOD, 2, struct.pack(">HH", 20, 10))),
        ("a consumer tag that is not UTF-8", frame(METHOD, 1, encode("basic.consume", queue="q", consumer_tag=b"\xff"))),
        ("publish on a channel interleaved with another's method", PUBLISH + frame(METHOD, 2, encode("channel.open")) + frame(HEADER, 1, header(0))),
        ("heartbeat on channel 1", frame(HEARTBEAT, 1, b"")),
        ("heartbeat with a payload", frame(HEARTBEAT, 0, b"abc")),
        ("header on channel 0", frame(HEADER, 0, header(0))),
        ("body on channel 0", frame(BODY, 0, b"abc")),
        ("body on a channel that is not open", frame(BODY, 7, b"abc")),
        ("frame of frame_max octets", PUBLISH + frame(HEADER, 1, header(131064)) + frame(BODY, 1, b"a" * 131064)),
        ("frame one octet above frame_max", PUBLISH + frame(HEADER, 1, header(131065)) + frame(BODY, 1, b"a" * 131065)),
        ("frame nine octets above frame_max", PUBLISH + frame(HEADER, 1, header(131073)) + frame(BODY, 1, b"a" * 131073)),
        ("frame far above frame_max", PUBLISH + frame(HEADER, 1, header(200000)) + frame(BODY, 1, b"a" * 200000)),
        ("bad frame end", QOS[:-1] + b"\0"),
        ("bad frame end, long payload", frame(METHOD, 1, encode("queue.declare", queue="a-queue-with-a-long-name"))[:-1] + b"\x01"),
        ("unknown frame type 9", frame(9, 1, b"abc")),
        ("unknown frame type 9 on channel 0", frame(9, 0, b"")),
        ("frame type 4 (trace)", frame(4, 1, b"")),
        ("a second protocol header", b"AMQP\0\0\x09\x01"),
        ("garbage", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")):
    case("frames: " + about, lambda t, about=about, raw=raw: t.frames(about, raw, wait=4), m("basic.qos"))
case("an error closes; what the client sent behind it is ignored until its close-ok", declare("q"),
     lambda t: t.frames("passive declare of absent, publish, declare other, in one write", frame(METHOD, 1, encode("queue.declare", queue="absent", passive=1)),
                        PUBLISH, frame(HEADER, 1, header(1)), frame(BODY, 1, b"a"), frame(METHOD, 1, encode("queue.declare", queue="other"))),
     opens(2), declare("q", ch=2, passive=1), declare("other", ch=2, passive=1))
case("the channel number may be used again after an error", declare("absent", passive=1), opens(1), declare("q"))
case("nowait: errors still close", opens(2, 3, 4), m("queue.delete", queue="q", nowait=1), m("exchange.declare", exchange="x", type="foo", nowait=1), wait())
case("nowait: queue.purge absent", m("queue.purge", queue="absent", nowait=1), wait())
case("nowait: exchange.declare amq.foo", m("exchange.declare", exchange="amq.foo", type="direct", nowait=1), wait())
case("nowait: exchange.bind absent", m("exchange.bind", source="absent", destination="absent", nowait=1), wait())
case("nowait: passive queue.declare absent", declare("absent", passive=1, nowait=1), wait())
case("nowait: server-named queue", declare("", nowait=1), m("queue.bind", queue="", exchange="amq.direct", routing_key="k"), m("queue.delete", queue=""))


@custom("frames behind connection.close are swallowed, and the socket is left to the client")
def _(t):
    behind = PUBLISH + frame(HEADER, 1, header(1)) + frame(BODY, 1, b"a")
    t.frames("connection.close with ten publishes behind it", frame(METHOD, 0, encode("connection.close", code=200, text="bye")) + behind * 10, wait=0.5)
    for _ in range(3):
        t.frames("more publishes", behind * 100, wait=0.5)
    t.say("< (socket closed)" if t.closed else "< (socket still open)")


@custom("protocol headers", bare=True)
def _(t):
    for raw in (b"AMQP\0\0\x08\0", b"AMQP\x01\x01\0\x08", b"AMQP\x01\x01\x08\0", b"AMQP\x01\x01\0\x09", b"AMQP\0\0\x09\x01", b"AMQP\0\0\x09\0", b"AMQP\0\x01\0\0",
                b"AMQP\x03\x01\0\0", b"AMQP\x02\x01\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01", b"XMQP\0\0\x09\x01"):
        other = t.fresh()
        other.frames(repr(raw), raw, wait=4)
        if not other.closed:
            other.say("< (socket still open)")
        other.wire.close()


@custom("connection.start: server-properties, mechanisms, locales; connection.tune", bare=True)
def _(t):
    t.wire.raw(b"AMQP\0\0\x09\x01")
    t.until("connection.start")
    t.start_ok(t.wire.user, t.wire.password)
    t.until("connection.tune")


def login(title, user=None, capabilities=None, **args):
    @custom(title, bare=True)
    def _(t):
        if capabilities is not None:
            t.capabilities = capabilities
        try:
            t.wire.raw(b"AMQP\0\0\x09\x01")
            t.until("connection.start", quiet=True)
            t.start_ok(user or t.wire.user, "wrong" if user is None and not args else t.wire.password, **args)
            t.until("connection.tune")
            t.drain(4)
        except Closed as err:
            t.over(err)


login("login: bad password, with authentication_failure_close")
login("login: bad password, without it", capabilities={})
login("login: unknown user", user="nobody")
login("login: unknown mechanism", mechanism="FOO")
login("login: EXTERNAL", mechanism="EXTERNAL", response=b"")
login("login: ANONYMOUS", mechanism="ANONYMOUS", response=b"")
login("login: PLAIN with two parts", response=b"\0guest")
login("login: PLAIN empty", response=b"")
login("login: PLAIN with an authorization identity", response=b"other\0guest\0guest")
login("login: AMQPLAIN", mechanism="AMQPLAIN", response=short("LOGIN") + value("guest") + short("PASSWORD") + value("guest"))
login("login: AMQPLAIN bad password", mechanism="AMQPLAIN", response=short("LOGIN") + value("guest") + short("PASSWORD") + value("no"))
login("login: AMQPLAIN without PASSWORD", mechanism="AMQPLAIN", response=short("LOGIN") + value("guest"))


def tune(title, **args):
    @custom(title, bare=True)
    def _(t):
        t.say(f"> connection.tune-ok {args}, then connection.open, channel.open")
        try:
            t.start(**args)
            t.channel(1)
            t.ask(1, "basic.qos")
            t.drain(1)
        except Closed as err:
            t.over(err)


tune("tune-ok: channel_max 0", channel_max=0)
tune("tune-ok: channel_max too high", channel_max=5000)
tune("tune-ok: channel_max 1", channel_max=1)
tune("tune-ok: frame_max 0", frame_max=0)
tune("tune-ok: frame_max too high", frame_max=200000)
tune("tune-ok: frame_max too low", frame_max=4095)
tune("tune-ok: frame_max 4096", frame_max=4096)
tune("tune-ok: heartbeat above the server's", heartbeat=600)
tune("connection.open: absent vhost", vhost="absent")
tune("connection.open: empty vhost", vhost="")
tune("connection.open: vhost without its slash", vhost="guest")


@custom("channel_max 2: the third channel")
def _(t):
    other = t.another_with(channel_max=2).channel(1, 2)
    other.ask(3, "channel.open")
    other.end()


@custom("a method before the handshake is over", bare=True)
def _(t):
    t.wire.raw(b"AMQP\0\0\x09\x01")
    t.until("connection.start", quiet=True)
    t.frames("channel.open instead of start-ok", frame(METHOD, 1, encode("channel.open")), wait=5)
    other = t.fresh()
    other.wire.raw(b"AMQP\0\0\x09\x01")
    other.until("connection.start", quiet=True)
    other.frames("connection.open instead of start-ok", frame(METHOD, 0, encode("connection.open", vhost="/")), wait=5)
    other.wire.close()


@custom("heartbeat of 1 s: what comes, and when the silent are cut")
def _(t):
    other = t.another_with(heartbeat=1)
    other.say("> nothing is sent")
    other.drain(6)
    other.end()
