"""Which message goes where: words of a topic, values of headers, bindings as such, exchanges behind exchanges, CC."""
from cases import bind, case, custom, declare, exchange, get, m, p

PATTERNS = ("#", "*", "", "a", "a.*", "a.#", "#.a", "*.a", "a.*.b", "a.#.b", "#.#", "*.*", "*.#", "#.*", ".", "a.", "..", "*.", "a..b", "#.b.#", "a.b")
KEYS = ("", "a", "a.b", "a.c.b", "a.b.c.b", ".", "a.", "..", "b.a", "a..b", ".a", "b", ".b.")
VALUES = {"int": 1, "long": ("l", 1), "byte": ("b", 1), "unsigned byte": ("B", 1), "short": ("s", 1), "unsigned short": ("u", 1), "unsigned int": ("i", 1),
          "L": ("L", 1), "double": ("d", 1.0), "float": ("f", 1.0), "text": "1", "bytes": ("x", "1"), "true": True, "false": False, "time": ("T", 1), "void": None,
          "array": [1], "array of long": [("l", 1)], "table": {"a": 1}, "table of long": {"a": ("l", 1)}, "empty table": {}, "empty text": "",
          "float 0.1": ("f", 0.1), "double 0.1": ("d", 0.1)}
X_MATCH = {"none": {}, "all": {"x-match": "all"}, "any": {"x-match": "any"}, "all-x": {"x-match": "all-with-x"}, "any-x": {"x-match": "any-with-x"}}
WANTED = {"nothing": {}, "x": {"x-k": 1}, "k": {"k": 1}, "k and x": {"k": 1, "x-k": 1}, "k present": {"k": None}, "x present": {"x-k": None}}


def empty(t, queue):
    while "get-ok" in t.ask(1, "basic.get", queue=queue, no_ack=1):
        pass


@custom("topic: each pattern against each key")
def _(t):
    t.ask(1, "exchange.declare", exchange="x", type="topic")
    for n, pattern in enumerate(PATTERNS):
        t.ask(1, "queue.declare", queue=f"q{n}")
        t.ask(1, "queue.bind", queue=f"q{n}", exchange="x", routing_key=pattern)
    for key in KEYS:
        t.publish(1, key, key, exchange="x")
    for n, _ in enumerate(PATTERNS):
        empty(t, f"q{n}")


@custom("headers: each value against each")
def _(t):
    for name, wanted in VALUES.items():
        t.ask(1, "queue.declare", queue=name)
        t.ask(1, "queue.bind", queue=name, exchange="amq.headers", arguments={"k": wanted})
    for name, sent in VALUES.items():
        t.publish(1, "", name, exchange="amq.headers", headers={"k": sent})
    for name in VALUES:
        empty(t, name)


@custom("headers: x-match, and names that begin with x-")
def _(t):
    queues = {f"{how}: {what}": {**match, **wanted} for how, match in X_MATCH.items() for what, wanted in WANTED.items()}
    for name, args in queues.items():
        t.ask(1, "queue.declare", queue=name)
        t.ask(1, "queue.bind", queue=name, exchange="amq.match", routing_key="ignored", arguments=args)
    t.publish(1, "", "no headers at all", exchange="amq.match")
    for headers in ({}, {"k": 1}, {"k": 2}, {"x-k": 1}, {"k": 1, "x-k": 1}, {"k": None}):
        t.publish(1, "", str(headers), exchange="amq.match", headers=headers)
    for name in queues:
        empty(t, name)


def ask(exchange_name, key="k", **props):
    """A mandatory publish: what is not routed comes back."""
    return p(key, "a", exchange=exchange_name, mandatory=1, **props)


def unbind(**args):
    return m("queue.unbind", queue="q", exchange="amq.direct", routing_key="k", **args)


def took(*queues):
    return [get(q, no_ack=1) for q in queues]


def bind_exchange(destination, source, key="k", **args):
    return m("exchange.bind", destination=destination, source=source, routing_key=key, **args)


case("bindings: bound twice, unbound once", declare("q"), bind("q", "amq.direct", "k"), bind("q", "amq.direct", "k"), ask("amq.direct"), *took("q", "q"), unbind(), ask("amq.direct"))
case("bindings: arguments make another one", declare("q"), bind("q", "amq.direct", "k", arguments={"a": 1}), bind("q", "amq.direct", "k"), ask("amq.direct"), *took("q", "q"),
     unbind(), ask("amq.direct"), unbind(arguments={"a": 2}), ask("amq.direct"), unbind(arguments={"a": 1}), ask("amq.direct"))
case("bindings: the width of an integer in the arguments", declare("q"), bind("q", "amq.direct", "k", arguments={"a": 1}), unbind(arguments={"a": ("l", 1)}), ask("amq.direct"))
case("bindings: the order of the arguments", declare("q"), bind("q", "amq.direct", "k", arguments={"b": 1, "a": 1}), unbind(arguments={"a": 1, "b": 1}), ask("amq.direct"))
case("bindings: of an exchange, bound twice, unbound once", exchange("x"), exchange("y", "fanout"), declare("q"), bind("q", "y"), bind_exchange("y", "x"), bind_exchange("y", "x"),
     m("exchange.unbind", destination="y", source="x", routing_key="k"), ask("x"))
case("exchange to itself", exchange("x", "fanout"), declare("q"), bind("q", "x"), bind_exchange("x", "x"), ask("x"), *took("q", "q"))
case("exchange to exchange of another type", exchange("x", "topic"), exchange("y", "headers"), declare("q"), bind("q", "y", "", arguments={"a": 1}), bind_exchange("y", "x", "a.#"),
     ask("x", "a.b", headers={"a": 1}), ask("x", "a.b"), *took("q", "q"))
case("exchange to an internal one", exchange("x"), exchange("y", "fanout", internal=1), declare("q"), bind("q", "y"), bind_exchange("y", "x"), ask("x"), *took("q"))
case("exchange deleted that another is bound to", exchange("x"), exchange("y"), bind_exchange("y", "x"), m("exchange.delete", exchange="y"), m("exchange.delete", exchange="x", if_unused=1))
case("exchange to one with no use for it, and an alternate", exchange("x", arguments={"alternate-exchange": "ae"}), exchange("ae", "fanout"), exchange("y"), declare("q"), bind("q", "ae"),
     bind_exchange("y", "x"), ask("x"), *took("q"))
case("alternate exchange: itself", exchange("x", arguments={"alternate-exchange": "x"}), ask("x"))
case("alternate exchange: a circle", exchange("x", arguments={"alternate-exchange": "y"}), exchange("y", arguments={"alternate-exchange": "x"}), ask("x"))
case("alternate exchange: of the alternate", exchange("x", arguments={"alternate-exchange": "y"}), exchange("y", arguments={"alternate-exchange": "z"}), exchange("z", "fanout"),
     declare("q"), bind("q", "z"), ask("x"), *took("q"))
case("alternate exchange: the default one", exchange("x", arguments={"alternate-exchange": ""}), declare("q"), ask("x", "q"), *took("q"))
case("alternate exchange: an internal one", exchange("x", arguments={"alternate-exchange": "y"}), exchange("y", "fanout", internal=1), declare("q"), bind("q", "y"), ask("x"), *took("q"))
case("CC: routed by it alone is routed", declare("q"), ask("", "absent", headers={"CC": ["q"]}), *took("q"), ask("", "absent", headers={"CC": ["absent too"]}))
case("CC: a queue named three times gets it once", declare("q"), ask("", "q", headers={"CC": ["q", "q"], "BCC": ["q"]}), *took("q", "q"))
case("CC: keys of a topic exchange", declare("q"), declare("r"), bind("q", "amq.topic", "a.#"), bind("r", "amq.topic", "b.#"), ask("amq.topic", headers={"CC": ["a.b", "b.c"]}), *took("q", "q", "r", "r"))
case("CC: on a fanout exchange", declare("q"), bind("q", "amq.fanout"), ask("amq.fanout", headers={"CC": ["a", "b"]}), *took("q", "q"))
case("CC: what is no text in the list", declare("q"), declare("r"), ask("", "q", headers={"CC": [1, "r"]}), *took("q", "r"))
case("CC: bytes in the list", declare("q"), declare("r"), ask("", "q", headers={"CC": [("x", "r")]}), *took("q", "r"))
case("CC: empty lists", declare("q"), ask("", "q", headers={"CC": [], "BCC": []}), *took("q"))
