"""Declaring, deleting and binding: which refusals, in which words."""
from cases import bind, case, consume, custom, declare, exchange, get, m, opens, p, wait

case("passive declare of an absent queue", declare("absent", passive=1))
case("passive declare of an absent exchange", exchange("absent", passive=1))
case("passive declare of an exchange ignores type", exchange("x"), exchange("x", "nonsense", passive=1))
case("passive queue.declare, empty name, none declared on the channel", declare("", passive=1))
case("passive queue.declare, empty name, one declared before", declare("q"), declare("", passive=1))
case("queue.declare empty name", declare(""), declare(""))
for first, then in (({"durable": 1}, {}), ({}, {"durable": 1}), ({"auto_delete": 1}, {}), ({}, {"auto_delete": 1}),
                    ({"exclusive": 1}, {}), ({}, {"exclusive": 1}), ({"exclusive": 1, "durable": 1}, {"exclusive": 1}),
                    ({"durable": 1, "auto_delete": 1}, {})):
    case(f"queue redeclare: first {first}, then {then}", declare("q", **first), declare("q", **then))
for key, one, two in (("x-message-ttl", 60000, 70000), ("x-message-ttl", 60000, ("l", 60000)), ("x-expires", 60000, 70000),
                      ("x-max-length", 5, 6), ("x-max-length-bytes", 5, 6), ("x-overflow", "drop-head", "reject-publish"),
                      ("x-dead-letter-exchange", "a", "b"), ("x-max-priority", 5, 6), ("x-queue-mode", "lazy", "default"),
                      ("x-queue-type", "classic", "quorum"), ("x-single-active-consumer", True, False), ("x-unknown", 1, 2)):
    case(f"queue redeclare: {key} {one!r}, then {two!r}", declare("q", durable=1, arguments={key: one}), declare("q", durable=1, arguments={key: two}))
    case(f"queue redeclare: {key} {one!r}, then missing", declare("q", durable=1, arguments={key: one}), declare("q", durable=1))
    case(f"queue redeclare: {key} missing, then {two!r}", declare("q", durable=1), declare("q", durable=1, arguments={key: two}))
case("queue redeclare: which of several differences is named", declare("q", durable=1, auto_delete=1, arguments={"x-message-ttl": 1000}),
     declare("q", arguments={"x-message-ttl": 2000}))
case("queue redeclare: x-queue-type classic against absent", declare("q", durable=1, arguments={"x-queue-type": "classic"}), declare("q", durable=1))
for args in ({"x-expires": 0}, {"x-expires": -1}, {"x-expires": "abc"}, {"x-expires": 10**15}, {"x-message-ttl": -1}, {"x-message-ttl": "abc"},
             {"x-message-ttl": ("d", 1.5)}, {"x-message-ttl": 315360000001}, {"x-max-length": -1}, {"x-max-length": "a"}, {"x-max-length-bytes": -1},
             {"x-max-priority": 256}, {"x-max-priority": -1}, {"x-max-priority": 255}, {"x-overflow": "foo"}, {"x-overflow": 1},
             {"x-overflow": "reject-publish-dlx"}, {"x-dead-letter-routing-key": "k"}, {"x-dead-letter-exchange": 5},
             {"x-dead-letter-exchange": "absent.dlx"}, {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": 5}, {"x-queue-type": "foo"},
             {"x-queue-type": 5}, {"x-single-active-consumer": "true"}, {"x-queue-mode": "foo"}, {"x-queue-version": 3}, {"x-queue-version": 2},
             {"x-queue-master-locator": "foo"}, {"x-delivery-limit": 5}, {"x-quorum-initial-group-size": 3}, {"x-max-age": "1D"},
             {"x-message-ttl": True}, {"x-message-ttl": None}, {"x-max-length": ("b", 5)}, {"x-max-length": ("s", 500)}, {"x-max-length": ("B", 200)}):
    case(f"queue.declare argument {args}", declare("q", durable=1, arguments=args))
case("queue.declare amq.foo", declare("amq.foo"))
case("queue.declare amq.foo passive", declare("amq.foo", passive=1))
case("queue.declare passive amq.rabbitmq.reply-to", declare("amq.rabbitmq.reply-to", passive=1))
case("queue.declare amq.rabbitmq.reply-to", declare("amq.rabbitmq.reply-to"))
case("queue.declare passive amq.rabbitmq.reply-to.absent", declare("amq.rabbitmq.reply-to.absent", passive=1))
case("queue.declare name with CR and LF", declare("a\r\nb"), declare("ab", passive=1), m("queue.delete", queue="a\nb"))
case("names of 255 bytes", declare("q" * 255), exchange("x" * 255), bind("q" * 255, "x" * 255, "k" * 255), p("k" * 255, "a", exchange="x" * 255), get("q" * 255), consume("q" * 255, "c" * 255),
     m("queue.delete", queue="q" * 255))
case("CR and LF: bind strips them, publish does not", exchange("x"), declare("q"), bind("q\r\n", "x\n", "k\r\n"), p("k\r\n", "a", exchange="x"), get("q", no_ack=1), get("q\n", no_ack=1),
     p("k", "b", exchange="x\n"))
case("CR and LF: consume, purge, delete", opens(2), declare("q"), m("queue.purge", queue="q\n"), m("queue.delete", queue="q\n"), declare("q"), consume("q\n", "c", ch=2))
case("queue.declare of bad arguments, several", declare("q", arguments={"x-max-length": -5, "x-message-ttl": -7, "x-expires": 0}))
case("passive queue.declare otherwise than it is", declare("q", exclusive=1), declare("q", passive=1, durable=1, auto_delete=1, arguments={"x-max-length": 1}))
case("passive exchange.declare otherwise than it is", exchange("x"), exchange("x", "fanout", passive=1, durable=1, auto_delete=1, internal=1, arguments={"alternate-exchange": 5}))
case("queue.declare quorum on one node", declare("qq", durable=1, arguments={"x-queue-type": "quorum"}), p("qq", "a"), wait(1), get("qq"))
case("queue.declare quorum, server-named", declare("", durable=1, arguments={"x-queue-type": "quorum"}))
case("queue.declare quorum, transient", declare("qq", arguments={"x-queue-type": "quorum"}))
case("queue.declare quorum, auto-delete", declare("qq", durable=1, auto_delete=1, arguments={"x-queue-type": "quorum"}))
case("queue.declare quorum, exclusive", declare("qq", durable=1, exclusive=1, arguments={"x-queue-type": "quorum"}))
case("queue.declare quorum, x-max-priority", declare("qq", durable=1, arguments={"x-queue-type": "quorum", "x-max-priority": 5}))
case("queue.declare-ok counts ready messages and consumers", declare("q"), p("q", "a"), p("q", "b"), declare("q"), get("q"), declare("q"),
     consume("q", "c"), wait(), declare("q", passive=1))
case("queue.declare nowait, then an error with nowait", declare("q", nowait=1, durable=1), declare("q", nowait=1), wait())
for first, then in (({"kind": "direct"}, {"kind": "fanout"}), ({"durable": 1}, {}), ({}, {"durable": 1}), ({"auto_delete": 1}, {}),
                    ({"internal": 1}, {}), ({"arguments": {"alternate-exchange": "a"}}, {"arguments": {"alternate-exchange": "b"}}),
                    ({"arguments": {"alternate-exchange": "a"}}, {}), ({}, {"arguments": {"alternate-exchange": "a"}}),
                    ({"arguments": {"x-other": 1}}, {"arguments": {"x-other": 2}}), ({"kind": "direct", "durable": 1}, {"kind": "fanout"})):
    case(f"exchange redeclare: first {first}, then {then}", exchange("x", **first), exchange("x", **then))
case("exchange.declare amq.foo", exchange("amq.foo"))
case("exchange.declare amq.direct as it is", exchange("amq.direct", durable=1))
case("exchange.declare amq.direct otherwise", exchange("amq.direct", "fanout", durable=1))
case("exchange.declare amq.foo passive", exchange("amq.foo", passive=1))
case("exchange.declare unknown type", exchange("x", "no-such-type"))
case("exchange.declare unknown type on an existing one", exchange("x"), exchange("x", "foo"))
case("exchange.declare empty type", exchange("x", ""))
case("exchange.declare alternate-exchange not a string", exchange("x", arguments={"alternate-exchange": 5}))
case("exchange.declare name with CR and LF", exchange("a\r\nb"), exchange("ab", passive=1))
for verb, args in (("declare", {"exchange": "", "type": "direct", "durable": 1}), ("declare", {"exchange": "", "passive": 1}),
                   ("delete", {"exchange": ""}), ("bind", {"destination": "", "source": "amq.direct"}),
                   ("bind", {"destination": "amq.direct", "source": ""}), ("unbind", {"destination": "", "source": "amq.direct"})):
    case(f"default exchange: exchange.{verb} {args}", m("exchange." + verb, **args))
case("default exchange: queue.bind", declare("q"), bind("q", "", "k"))
case("default exchange: queue.bind to itself by name", declare("q"), bind("q", "", "q"))
case("default exchange: queue.unbind", declare("q"), m("queue.unbind", queue="q", exchange="", routing_key="q"))
case("exchange.delete amq.direct", m("exchange.delete", exchange="amq.direct"))
case("exchange.delete amq.absent", m("exchange.delete", exchange="amq.absent"))
case("exchange.delete absent", m("exchange.delete", exchange="absent"))
case("exchange.delete if-unused with a binding as source", exchange("x"), declare("q"), bind("q", "x", "k"), m("exchange.delete", exchange="x", if_unused=1))
case("exchange.delete if-unused bound only as destination", exchange("x"), m("exchange.bind", destination="x", source="amq.direct", routing_key="k"),
     m("exchange.delete", exchange="x", if_unused=1))
case("exchange.delete of one in use, without if-unused", exchange("x"), declare("q"), bind("q", "x", "k"), m("exchange.delete", exchange="x"))
case("publish to internal exchange", exchange("x", "fanout", internal=1), p("k", "a", exchange="x"))
case("publish to internal exchange, in confirm mode", exchange("x", "fanout", internal=1), m("confirm.select"), p("k", "a", exchange="x"), wait())
case("publish to absent exchange", p("k", "a", exchange="absent"))
case("publish to a deleted exchange, on a channel that published to it", exchange("x"), p("k", "a", exchange="x"),
     m("exchange.delete", exchange="x"), p("k", "a", exchange="x"))
case("publish to a deleted exchange, in confirm mode", exchange("x"), m("confirm.select"), p("k", "a", exchange="x"), wait(),
     m("exchange.delete", exchange="x"), p("k", "a", exchange="x"), wait())
case("queue.delete if-unused with a consumer", declare("q"), consume("q", "c"), m("queue.delete", queue="q", if_unused=1))
case("queue.delete if-empty with a message", declare("q"), p("q", "a"), m("queue.delete", queue="q", if_empty=1))
case("queue.delete if-empty with only an unacked message", declare("q"), p("q", "a"), get("q"), m("queue.delete", queue="q", if_empty=1))
case("queue.delete if-unused and if-empty, both broken", declare("q"), p("q", "a"), consume("q", "c"), m("queue.delete", queue="q", if_unused=1, if_empty=1))
case("queue.delete absent", m("queue.delete", queue="absent"))
case("queue.delete counts", declare("q"), p("q", "a"), p("q", "b"), get("q"), m("queue.delete", queue="q"))
case("queue.purge absent", m("queue.purge", queue="absent"))
case("queue.purge counts ready only", declare("q"), p("q", "a"), p("q", "b"), get("q"), m("queue.purge", queue="q"))
case("queue.bind absent queue", bind("absent", "amq.direct", "k"))
case("queue.bind absent exchange", declare("q"), bind("q", "absent", "k"))
case("queue.bind both absent", bind("absent", "absent.x", "k"))
case("queue.bind absent, nowait", bind("absent", "amq.direct", "k", nowait=1))
case("queue.unbind absent binding", declare("q"), m("queue.unbind", queue="q", exchange="amq.direct", routing_key="k"))
case("queue.unbind absent queue", m("queue.unbind", queue="absent", exchange="amq.direct", routing_key="k"))
case("queue.unbind absent exchange", declare("q"), m("queue.unbind", queue="q", exchange="absent", routing_key="k"))
case("exchange.bind absent source", m("exchange.bind", destination="amq.direct", source="absent", routing_key="k"))
case("exchange.bind absent destination", m("exchange.bind", destination="absent", source="amq.direct", routing_key="k"))
case("exchange.bind both absent", m("exchange.bind", destination="absent.d", source="absent.s", routing_key="k"))
case("exchange.unbind both absent", m("exchange.unbind", destination="absent.d", source="absent.s", routing_key="k"))
case("exchange.bind from an internal exchange and to it", exchange("x", internal=1), m("exchange.bind", destination="x", source="amq.direct", routing_key="k"),
     m("exchange.bind", destination="amq.direct", source="x", routing_key="k"))
for args in ({"x-match": "foo"}, {"x-match": 1}, {"x-match": "any-with-x"}, {"x-match": "all-with-x"}, {}, {"x-match": None}):
    case(f"headers binding {args}", declare("q"), bind("q", "amq.headers", "", arguments=args))
case("headers: which messages no argument, all and any take", declare("none"), declare("all"), declare("any"), bind("none", "amq.headers"),
     bind("all", "amq.headers", arguments={"x-match": "all", "a": 1, "x-b": 2}),
     bind("any", "amq.headers", arguments={"x-match": "any", "a": 1, "c": None}), p("", "bare", exchange="amq.headers"),
     p("", "a", exchange="amq.headers", headers={"a": 1}), p("", "a as long", exchange="amq.headers", headers={"a": ("l", 1)}),
     p("", "a as string", exchange="amq.headers", headers={"a": "1"}), p("", "c", exchange="amq.headers", headers={"c": "x"}),
     get("none", no_ack=1), get("none", no_ack=1), get("all", no_ack=1), get("all", no_ack=1), get("all", no_ack=1),
     get("any", no_ack=1), get("any", no_ack=1), get("any", no_ack=1), get("any", no_ack=1))
case("empty-name shortcuts with none declared: bind", bind("", "amq.direct", "k"))
for verb in ("queue.purge", "queue.delete", "basic.consume", "basic.get"):
    case(f"empty-name shortcuts with none declared: {verb}", m(verb, queue=""))
case("empty-name shortcuts with none declared: unbind", m("queue.unbind", queue="", exchange="amq.direct", routing_key="k"))
case("queue.bind with empty queue and key", declare("q"), bind("", "amq.direct", ""), p("q", "a", exchange="amq.direct"), p("", "b", exchange="amq.direct"),
     get("", no_ack=1), get("", no_ack=1))
case("empty name after the declared queue was deleted", declare("q"), m("queue.delete", queue="q"), get(""))
case("auto-delete queue goes with its last consumer", declare("q", auto_delete=1), consume("q", "a"), consume("q", "b"), m("basic.cancel", consumer_tag="a"),
     declare("q", passive=1), m("basic.cancel", consumer_tag="b"), declare("q", passive=1))
case("auto-delete queue that never had a consumer stays when its channel closes", opens(2), declare("q", ch=2, auto_delete=1), m("channel.close", ch=2),
     declare("q", passive=1))
case("auto-delete exchange goes with its last binding", exchange("x", auto_delete=1), declare("q"), bind("q", "x", "a"), bind("q", "x", "b"),
     m("queue.unbind", queue="q", exchange="x", routing_key="a"), exchange("x", passive=1), m("queue.unbind", queue="q", exchange="x", routing_key="b"),
     exchange("x", passive=1))
case("auto-delete exchange without a binding stays", exchange("x", auto_delete=1), m("exchange.delete", exchange="absent"), exchange("x", passive=1))
case("auto-delete chain: queue deleted takes x2, which takes x1", exchange("x1", auto_delete=1), exchange("x2", auto_delete=1), declare("q", auto_delete=1),
     m("exchange.bind", destination="x2", source="x1", routing_key="k"), bind("q", "x2", "k"), consume("q", "c"), m("basic.cancel", consumer_tag="c"),
     opens(2), exchange("x2", ch=1, passive=1), exchange("x1", ch=2, passive=1))
case("auto-delete exchange bound only as destination", exchange("x1"), exchange("x2", auto_delete=1), m("exchange.bind", destination="x2", source="x1", routing_key="k"),
     m("exchange.unbind", destination="x2", source="x1", routing_key="k"), exchange("x2", passive=1))


@custom("exclusive queue, from another connection")
def _(t):
    t.ask(1, "queue.declare", queue="q", exclusive=1)
    for name, args in (("queue.declare", {"exclusive": 1}), ("queue.declare", {"passive": 1}), ("queue.declare", {}), ("queue.delete", {}), ("queue.purge", {}),
                       ("basic.get", {}), ("basic.consume", {}), ("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}),
                       ("queue.unbind", {"exchange": "amq.direct", "routing_key": "k"})):
        other = t.another().channel(1)
        other.ask(1, name, queue="q", **args)
        other.end()
    other = t.another().channel(1)
    other.publish(1, "q", "publishing to it is allowed")
    other.end()
    t.ask(1, "basic.get", queue="q", no_ack=1)


@custom("exclusive queue is gone when its connection is closed")
def _(t):
    other = t.another().channel(1)
    other.ask(1, "queue.declare", queue="q", exclusive=1)
    other.ask(0, "connection.close", code=200, text="bye")
    t.ask(1, "queue.declare", queue="q", passive=1)


@custom("queue.declare of a server-made name again")
def _(t):
    for args in ({"exclusive": 1}, {"exclusive": 1, "auto_delete": 1}, {}):
        name = t.ask(1, "queue.declare", **args).split("queue='")[1].split("'")[0]
        t.ask(1, "queue.declare", queue=name, passive=1)
        t.ask(1, "queue.declare", queue=name, **args)
        if 1 not in t.open_channels:
            t.channel(1)
        t.ask(1, "queue.delete", queue=name)
