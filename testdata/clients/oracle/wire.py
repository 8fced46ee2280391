"""A small AMQP 0-9-1 wire: it sends what a polite client library would refuse to.

Fields of a table are kept with their type letter, as (letter, value), so that
what a broker answers can be shown to the last bit.
"""
import socket
import struct
import time
from urllib.parse import unquote, urlsplit

# class id, method id, name, fields. o octet, s short, l long, q longlong,
# S short string, L long string, T table, t timestamp, b bit.
SPEC = """
10 10 connection.start major:o minor:o server_properties:T mechanisms:L locales:L
10 11 connection.start-ok client_properties:T mechanism:S response:L locale:S
10 20 connection.secure challenge:L
10 21 connection.secure-ok response:L
10 30 connection.tune channel_max:s frame_max:l heartbeat:s
10 31 connection.tune-ok channel_max:s frame_max:l heartbeat:s
10 40 connection.open vhost:S r1:S r2:b
10 41 connection.open-ok r1:S
10 50 connection.close code:s text:S class_id:s method_id:s
10 51 connection.close-ok
10 60 connection.blocked reason:S
10 61 connection.unblocked
10 70 connection.update-secret secret:L reason:S
10 71 connection.update-secret-ok
20 10 channel.open r1:S
20 11 channel.open-ok r1:L
20 20 channel.flow active:b
20 21 channel.flow-ok active:b
20 40 channel.close code:s text:S class_id:s method_id:s
20 41 channel.close-ok
30 10 access.request realm:S exclusive:b passive:b active:b write:b read:b
30 11 access.request-ok ticket:s
40 10 exchange.declare ticket:s exchange:S type:S passive:b durable:b auto_delete:b internal:b nowait:b arguments:T
40 11 exchange.declare-ok
40 20 exchange.delete ticket:s exchange:S if_unused:b nowait:b
40 21 exchange.delete-ok
40 30 exchange.bind ticket:s destination:S source:S routing_key:S nowait:b arguments:T
40 31 exchange.bind-ok
40 40 exchange.unbind ticket:s destination:S source:S routing_key:S nowait:b arguments:T
40 51 exchange.unbind-ok
50 10 queue.declare ticket:s queue:S passive:b durable:b exclusive:b auto_delete:b nowait:b arguments:T
50 11 queue.declare-ok queue:S messages:l consumers:l
50 20 queue.bind ticket:s queue:S exchange:S routing_key:S nowait:b arguments:T
50 21 queue.bind-ok
50 30 queue.purge ticket:s queue:S nowait:b
50 31 queue.purge-ok messages:l
50 40 queue.delete ticket:s queue:S if_unused:b if_empty:b nowait:b
50 41 queue.delete-ok messages:l
50 50 queue.unbind ticket:s queue:S exchange:S routing_key:S arguments:T
50 51 queue.unbind-ok
60 10 basic.qos prefetch_size:l prefetch_count:s is_global:b
60 11 basic.qos-ok
60 20 basic.consume ticket:s queue:S consumer_tag:S no_local:b no_ack:b exclusive:b nowait:b arguments:T
60 21 basic.consume-ok consumer_tag:S
60 30 basic.cancel consumer_tag:S nowait:b
60 31 basic.cancel-ok consumer_tag:S
60 40 basic.publish ticket:s exchange:S routing_key:S mandatory:b immediate:b
60 50 basic.return code:s text:S exchange:S routing_key:S
60 60 basic.deliver consumer_tag:S tag:q redelivered:b exchange:S routing_key:S
60 70 basic.get ticket:s queue:S no_ack:b
60 71 basic.get-ok tag:q redelivered:b exchange:S routing_key:S messages:l
60 72 basic.get-empty r1:S
60 80 basic.ack tag:q multiple:b
60 90 basic.reject tag:q requeue:b
60 100 basic.recover-async requeue:b
60 110 basic.recover requeue:b
60 111 basic.recover-ok
60 120 basic.nack tag:q multiple:b requeue:b
60 200 basic.credit consumer_tag:S credit:l drain:b
85 10 confirm.select nowait:b
85 11 confirm.select-ok
90 10 tx.select
90 11 tx.select-ok
90 20 tx.commit
90 21 tx.commit-ok
90 30 tx.rollback
90 31 tx.rollback-ok
"""
PROPERTIES = ("content_type:S content_encoding:S headers:T delivery_mode:o priority:o correlation_id:S reply_to:S "
              "expiration:S message_id:S timestamp:q type:S user_id:S app_id:S cluster_id:S").split()
NUMBERS = {"o": "B", "s": "H", "l": "I", "q": "Q"}
METHODS, IDS = {}, {}
for line in SPEC.strip().splitlines():
    cid, mid, name, *fields = line.split()
    METHODS[name] = (int(cid), int(mid), [f.split(":") for f in fields])
    IDS[int(cid), int(mid)] = name
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
CONTENT = ("basic.deliver", "basic.get-ok", "basic.return")
PLAIN_NUMBERS = {"b": "b", "B": "B", "s": "h", "u": "H", "I": "i", "i": "I", "l": "q", "L": "q", "f": "f", "d": "d", "T": "Q"}


def short(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return bytes([len(raw)]) + raw


def long(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">I", len(raw)) + raw


def value(v):
    """One table value: a plain Python value, or (letter, value) to force its type."""
    if isinstance(v, tuple):
        letter, v = v
        return letter.encode() + (long(v) if letter in "Sx" else struct.pack(">" + PLAIN_NUMBERS[letter], v))
    if isinstance(v, bool):
        return b"t" + bytes([v])
    if isinstance(v, int):
        return value(("I" if -2**31 <= v < 2**31 else "l", v))
    if isinstance(v, str):
        return b"S" + long(v)
    if isinstance(v, list):
        return b"A" + long(b"".join(map(value, v)))
    if isinstance(v, dict):
        return b"F" + table(v)
    return b"V"


def table(d):
    return long(b"".join(short(k) + value(v) for k, v in d.items()))


def encode(name, **args):
    """The payload of a method frame."""
    cid, mid, fields = METHODS[name]
    out, bits, nbits = struct.pack(">HH", cid, mid), 0, 0
    for field, kind in fields:
        v = args.pop(field, {} if kind == "T" else "" if kind in "SL" else 0)
        if kind == "b":
            bits |= bool(v) << nbits
            nbits += 1
            continue
        if nbits:
            out, bits, nbits = out + bytes([bits]), 0, 0
        out += encode_field(kind, v)
    if args:
        raise TypeError(f"{name} has no {sorted(args)}")
    return out + bytes([bits]) if nbits else out


def encode_field(kind, v):
    if kind in NUMBERS:
        return struct.pack(">" + NUMBERS[kind], v)
    return {"S": short, "L": long, "T": table}[kind](v)


def header(size, class_id=60, **props):
    """The payload of a content header frame."""
    flags, out = 0, b""
    for i, p in enumerate(PROPERTIES):
        name, kind = p.split(":")
        if name in props:
            flags |= 1 << (15 - i)
            out += encode_field(kind, props.pop(name))
    if props:
        raise TypeError(f"no properties {sorted(props)}")
    return struct.pack(">HHQH", class_id, 0, size, flags) + out


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


class Reader:
    """Takes fields off the front of a payload."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, n):
        self.at += n
        return self.raw[self.at - n:self.at]

    def number(self, fmt):
        return struct.unpack(">" + fmt, self.take(struct.calcsize(">" + fmt)))[0]

    def field(self, kind):
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == "S":
            return self.take(self.number("B")).decode("utf-8", "backslashreplace")
        if kind == "L":
            return self.take(self.number("I")).decode("utf-8", "backslashreplace")
        return self.table()

    def table(self):
        inner, out = Reader(self.take(self.number("I"))), {}
        while inner.at < len(inner.raw):
            k = inner.field("S")
            out[k] = inner.value()
        return out

    def value(self):
        letter = chr(self.number("B"))
        if letter == "t":
            return letter, bool(self.number("B"))
        if letter in "Sx":
            return letter, self.field("L")
        if letter == "F":
            return letter, self.table()
        if letter == "V":
            return letter, None
        if letter == "D":
            return letter, (self.number("B"), self.number("i"))
        if letter == "A":
            inner, out = Reader(self.take(self.number("I"))), []
            while inner.at < len(inner.raw):
                out.append(inner.value())
            return letter, out
        return letter, self.number(PLAIN_NUMBERS[letter])


def decode(payload):
    """(name, fields) of a method frame."""
    r = Reader(payload)
    ids = r.number("H"), r.number("H")
    if ids not in IDS:
        return f"method {ids}", {}
    out, bits, nbits = {}, 0, 8
    for field, kind in METHODS[IDS[ids]][2]:
        if kind != "b":
            nbits, out[field] = 8, r.field(kind)
            continue
        if nbits == 8:
            bits, nbits = r.number("B"), 0
        out[field], nbits = bool(bits >> nbits & 1), nbits + 1
    return IDS[ids], out


def decode_header(payload):
    """(body size, properties) of a content header frame."""
    r = Reader(payload)
    r.take(4)
    size, flags, props = r.number("Q"), r.number("H"), {}
    for i, p in enumerate(PROPERTIES):
        if flags >> (15 - i) & 1:
            name, kind = p.split(":")
            props[name] = r.field(kind)
    return size, props


def show(v):
    """A field as it is written in the transcript; a table keeps its type letters."""
    if isinstance(v, dict):
        return "{" + ", ".join(f"{k}={show(x)}" for k, x in v.items()) + "}"
    if isinstance(v, list):
        return "[" + ", ".join(map(show, v)) + "]"
    if isinstance(v, tuple):
        return f"{v[0]}:{show(v[1])}"
    if isinstance(v, bool):
        return str(int(v))
    return repr(v)


class Closed(Exception):
    """The peer closed the socket."""


class Wire:
    """A socket that speaks frames. Nothing is answered that is not asked for."""

    def __init__(self, url):
        u = urlsplit(url)
        self.user, self.password = unquote(u.username or "guest"), unquote(u.password or "guest")
        self.vhost = unquote(u.path[1:]) if len(u.path) > 1 else "/"
        self.sock = socket.create_connection((u.hostname, u.port or 5672), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""

    def raw(self, data):
        try:
            self.sock.sendall(data)
        except OSError as err:
            raise Closed("by the peer") from err

    def send(self, channel, name, **args):
        self.raw(frame(METHOD, channel, encode(name, **args)))

    def read(self, timeout):
        """The next (kind, channel, payload); None when nothing came in time."""
        end = time.monotonic() + timeout
        while True:
            if len(self.buf) >= 8 and self.buf[:4] == b"AMQP":
                out, self.buf = self.buf[:8], self.buf[8:]
                return "protocol header", 0, out
            if len(self.buf) >= 7:
                kind, channel, size = struct.unpack(">BHI", self.buf[:7])
                if len(self.buf) >= size + 8:
                    payload, self.buf = self.buf[7:7 + size], self.buf[size + 8:]
                    return kind, channel, payload
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                return None
            except OSError as err:
                raise Closed("by the peer") from err
            if not data:
                raise Closed("by the peer")
            self.buf += data

    def close(self):
        self.sock.close()
