"""Publishing, consuming and settling: what comes, in which order, in which words."""
from cases import bind, case, consume, custom, declare, exchange, get, m, opens, p, wait

case("consume on absent queue", consume("absent", "c"))
case("consume on absent queue, nowait", consume("absent", "c", nowait=1))
case("consume with a server-made tag", declare("q"), consume("q", ""))
case("consume with the tag in use", declare("q"), consume("q", "c"), consume("q", "c"))
case("consume with the tag in use on another channel", opens(2), declare("q"), consume("q", "c"), consume("q", "c", ch=2))
case("consume exclusive where there is a consumer", declare("q"), consume("q", "a"), consume("q", "b", exclusive=1))
case("consume where there is an exclusive consumer", declare("q"), consume("q", "a", exclusive=1), consume("q", "b"))
case("consume exclusive on a single-active-consumer queue", declare("q", arguments={"x-single-active-consumer": True}), consume("q", "a", exclusive=1))
for args in ({"x-priority": "high"}, {"x-priority": 5}, {"x-priority": ("d", 1.0)}, {"x-priority": True}, {"x-cancel-on-ha-failover": True}, {"x-unknown": 1}):
    case(f"consume with {args}", declare("q"), consume("q", "a", arguments=args))
case("consume with a tag that was cancelled", declare("q"), consume("q", "a"), m("basic.cancel", consumer_tag="a"), consume("q", "a"), p("q", "m"), wait())
case("consume after an exclusive consumer has gone", declare("q"), consume("q", "a", exclusive=1), m("basic.cancel", consumer_tag="a"), consume("q", "b"), p("q", "m"), wait())
case("get where there is an exclusive consumer", declare("q"), consume("q", "a", exclusive=1), p("q", "m"), wait(), get("q"))
case("consume nowait with a server-made tag", declare("q"), p("q", "m"), consume("q", "", nowait=1), wait())
case("cancel nowait", declare("q"), consume("q", "a"), m("basic.cancel", consumer_tag="a", nowait=1), p("q", "m"), wait(), get("q"))
case("cancel an unknown tag", m("basic.cancel", consumer_tag="absent"))
case("cancel an unknown tag, nowait", m("basic.cancel", consumer_tag="absent", nowait=1))
case("get on absent queue", get("absent"))
case("get-ok counts, redelivered and tags", declare("q"), p("q", "a"), p("q", "b"), get("q"), get("q", no_ack=1), get("q"),
     m("basic.reject", tag=1, requeue=1), get("q"))
for name, args in (("basic.ack", {}), ("basic.ack", {"multiple": 1}), ("basic.nack", {}), ("basic.nack", {"multiple": 1}), ("basic.reject", {}),
                   ("basic.reject", {"requeue": 1})):
    case(f"unknown delivery tag: {name} {args}", m(name, tag=7, **args))
case("ack of a tag twice", declare("q"), p("q", "a"), get("q"), m("basic.ack", tag=1), m("basic.ack", tag=1))
case("ack tag 0 multiple with nothing outstanding", m("basic.ack", tag=0, multiple=1))
case("nack tag 0 multiple with nothing outstanding", m("basic.nack", tag=0, multiple=1, requeue=1))
case("ack tag 0, not multiple", declare("q"), p("q", "a"), get("q"), m("basic.ack", tag=0))
case("ack tag 0 multiple settles all", declare("q"), p("q", "a"), p("q", "b"), get("q"), get("q"), m("basic.ack", tag=0, multiple=1), m("basic.ack", tag=2))
case("ack multiple of a tag above those outstanding", declare("q"), p("q", "a"), get("q"), m("basic.ack", tag=5, multiple=1), get("q"))
case("ack multiple up to a settled tag, with an earlier one outstanding", declare("q"), p("q", "a"), p("q", "b"), get("q"), get("q"),
     m("basic.ack", tag=2), m("basic.ack", tag=2, multiple=1))
case("ack multiple below the lowest outstanding tag", declare("q"), p("q", "a"), p("q", "b"), get("q"), get("q"), m("basic.ack", tag=1), m("basic.ack", tag=1, multiple=1))
case("ack of a no-ack delivery", declare("q"), p("q", "a"), get("q", no_ack=1), m("basic.ack", tag=1))
case("ack of a delivery from another channel", opens(2), declare("q"), p("q", "a"), get("q"), m("basic.ack", ch=2, tag=1))
case("ack after its queue was deleted, twice", declare("q"), p("q", "a"), get("q"), m("queue.delete", queue="q"), m("basic.ack", tag=1), m("basic.ack", tag=1))
case("nack requeue after its queue was deleted and declared again", declare("q"), p("q", "a"), get("q"), m("queue.delete", queue="q"), declare("q"), m("basic.nack", tag=1, requeue=1), get("q"))
case("nack multiple drops", declare("q"), p("q", "a"), p("q", "b"), p("q", "c"), get("q"), get("q"), get("q"), m("basic.nack", tag=2, multiple=1), m("basic.nack", tag=3, requeue=1),
     get("q", no_ack=1), get("q", no_ack=1))
case("qos prefetch_size", m("basic.qos", prefetch_size=10))
case("immediate", declare("q"), p("q", "a", immediate=1))
case("recover requeue=false", m("basic.recover", requeue=0))
case("recover-async requeue=false", m("basic.recover-async", requeue=0))
case("recover-async requeue=true", declare("q"), p("q", "a"), get("q"), m("basic.recover-async", requeue=1), get("q"))
case("recover with nothing outstanding", m("basic.recover", requeue=1))
for value in ("-1", "abc", "10ms", "", "1.5", " 5", "0", "315360000001", "315360000000", "99999999999999999999", "+5"):
    case(f"expiration {value!r}", declare("q"), p("q", "a", expiration=value))
for headers in ({"CC": "x"}, {"CC": ["x", 5]}, {"BCC": "x"}, {"CC": None}, {"CC": 5}):
    case(f"publish with {headers}", declare("q"), p("q", "a", headers=headers))
case("CC and BCC route, BCC is taken out", declare("a"), declare("b"), declare("c"), p("a", "m", headers={"CC": ["b"], "BCC": ["c"]}),
     get("a", no_ack=1), get("b", no_ack=1), get("c", no_ack=1))
case("user_id of another", declare("q"), p("q", "a", user_id="someone"))
case("user_id of another, in confirm mode", declare("q"), m("confirm.select"), p("q", "a", user_id="someone"), wait())
case("user_id of one's own", declare("q"), p("q", "a", user_id="guest"), get("q", no_ack=1))
case("every property comes back as it went", declare("q"),
     p("q", "a", content_type="text/plain", content_encoding="gzip", delivery_mode=2, priority=3, correlation_id="c", reply_to="r", message_id="m",
       timestamp=1700000000, type="t", app_id="app", cluster_id="cl", expiration="60000",
       headers={"b": ("b", -1), "B": ("B", 200), "s": ("s", -300), "u": ("u", 60000), "I": -5, "i": ("i", 4000000000), "l": ("l", 1 << 40), "L": ("L", -5),
                "f": ("f", 1.5), "d": ("d", 2.5), "t": True, "S": "str", "T": ("T", 1700000000), "F": {"k": "v"}, "A": ["x", 1], "V": None,
                "x": ("x", "bytes")}), get("q", no_ack=1))
case("direct reply-to: publish without a consumer", p("absent", "a", reply_to="amq.rabbitmq.reply-to"))
case("direct reply-to: consume with ack", consume("amq.rabbitmq.reply-to", "c"))
case("direct reply-to: a second consumer", consume("amq.rabbitmq.reply-to", "c", no_ack=1), consume("amq.rabbitmq.reply-to", "d", no_ack=1))
case("direct reply-to: the same tag again", consume("amq.rabbitmq.reply-to", "c", no_ack=1), consume("amq.rabbitmq.reply-to", "c", no_ack=1))
case("direct reply-to: consume exclusive", consume("amq.rabbitmq.reply-to", "c", no_ack=1, exclusive=1))
case("direct reply-to: get", get("amq.rabbitmq.reply-to"))
case("direct reply-to: cancel, then consume again", consume("amq.rabbitmq.reply-to", "c", no_ack=1), m("basic.cancel", consumer_tag="c"),
     consume("amq.rabbitmq.reply-to", "d", no_ack=1))
case("direct reply-to: purge, delete, bind", opens(2, 3), m("queue.purge", queue="amq.rabbitmq.reply-to"), m("queue.delete", ch=2, queue="amq.rabbitmq.reply-to"),
     bind("amq.rabbitmq.reply-to", "amq.direct", "k", ch=3))
case("direct reply-to: publish to a made-up name, mandatory", p("amq.rabbitmq.reply-to.absent", "a", mandatory=1), wait())
case("tx after confirm", m("confirm.select"), m("tx.select"))
case("confirm after tx", m("tx.select"), m("confirm.select"))
case("confirm.select twice", m("confirm.select"), m("confirm.select"))
case("tx.select twice", m("tx.select"), m("tx.select"))
case("tx.commit without select", m("tx.commit"))
case("tx.rollback without select", m("tx.rollback"))
case("tx: commit shows publishes, rollback drops them", declare("q"), m("tx.select"), p("q", "a"), declare("q", passive=1), m("tx.commit"), declare("q", passive=1),
     p("q", "b"), m("tx.rollback"), declare("q", passive=1))
case("tx: acks rolled back are unacked still", declare("q"), p("q", "a"), m("tx.select"), get("q"), m("basic.ack", tag=1), m("tx.rollback"),
     m("basic.ack", tag=1), m("tx.commit"), m("basic.ack", tag=1))
case("tx: recover is done at once", declare("q"), p("q", "a"), m("tx.select"), get("q"), m("basic.recover", requeue=1), get("q"), m("tx.rollback"), get("q"))
case("tx: ack, rollback, recover, get", declare("q"), p("q", "a"), m("tx.select"), get("q"), m("basic.ack", tag=1), m("tx.rollback"), m("basic.recover", requeue=1), get("q"))
case("tx: ack of the same tag twice in one transaction", declare("q"), p("q", "a"), m("tx.select"), get("q"), m("basic.ack", tag=1), m("basic.ack", tag=1))
case("tx: nack and reject wait for the commit", declare("q"), p("q", "a"), p("q", "b"), m("tx.select"), get("q"), get("q"), m("basic.nack", tag=1, requeue=1),
     m("basic.reject", tag=2), get("q"), m("tx.commit"), get("q"), get("q"))
case("tx: ack of all, rolled back", declare("q"), p("q", "a"), p("q", "b"), m("tx.select"), get("q"), get("q"), m("basic.ack", tag=0, multiple=1), m("tx.rollback"),
     m("basic.ack", tag=2, multiple=1), m("tx.commit"), m("basic.ack", tag=1))
case("tx: credit comes back with the commit", declare("q"), p("q", "a"), p("q", "b"), m("tx.select"), m("basic.qos", prefetch_count=1), consume("q", "c"), wait(), m("basic.ack", tag=1), wait(),
     m("tx.commit"), wait())
case("tx: its channel is closed", opens(2), declare("q"), p("q", "x"), m("tx.select", ch=2), p("q", "a", ch=2), get("q", ch=2), m("basic.ack", ch=2, tag=1), m("channel.close", ch=2), get("q"), get("q"))
case("tx: an error on its channel", opens(2), declare("q"), m("tx.select", ch=2), p("q", "a", ch=2), declare("absent", ch=2, passive=1), declare("q", passive=1))
case("tx: the queue is deleted before the commit", declare("q"), m("tx.select"), p("q", "a", mandatory=1), m("queue.delete", queue="q"), m("tx.commit"))
case("tx: unknown delivery tag is refused at once", m("tx.select"), m("basic.ack", tag=7))
case("tx: publish to absent exchange is refused at once", m("tx.select"), p("k", "a", exchange="absent"))
case("tx: mandatory unroutable returns at commit", m("tx.select"), p("absent", "a", mandatory=1), wait(), m("tx.commit"), wait())
case("tx: rejected by overflow", declare("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}), m("tx.select"), p("q", "a"), p("q", "b"), m("tx.commit"))
case("confirm: mandatory unroutable, return then ack", m("confirm.select"), p("absent", "a", mandatory=1), wait())
case("confirm: unroutable, not mandatory", m("confirm.select"), p("absent", "a"), wait())
case("confirm: routed", declare("q"), m("confirm.select"), p("q", "a", fence=False), p("q", "b", fence=False), p("q", "c", fence=False), wait(0.5))
case("confirm: persistent to a durable queue", declare("q", durable=1), m("confirm.select"), p("q", "a", delivery_mode=2), wait(0.5))
case("confirm: rejected by overflow", declare("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}), m("confirm.select"), p("q", "a"), wait(), p("q", "b"), wait())
case("confirm: mandatory return of several", m("confirm.select"), p("absent", "a", mandatory=1, fence=False), p("absent", "b", mandatory=1, fence=False), wait(0.5))
case("confirm: one of two queues refuses", declare("q", arguments={"x-max-length": 0, "x-overflow": "reject-publish"}), declare("r"), bind("q", "amq.fanout"), bind("r", "amq.fanout"),
     m("confirm.select"), p("", "a", exchange="amq.fanout", mandatory=1), wait(), get("r"))
case("confirm: the numbers begin with the select, and go on after another", declare("q"), p("q", "0"), m("confirm.select"), p("q", "a"), wait(), m("confirm.select"), p("q", "b"), wait())
case("confirm.select nowait", m("confirm.select", nowait=1), p("absent", "a"), wait())
case("return carries properties and body", p("absent", "body", exchange="amq.topic", mandatory=1, headers={"h": 1, "CC": ["x"], "BCC": ["y"]}, message_id="m"), wait())
case("queue.delete under one's own consumers", declare("q"), consume("q", "a"), consume("q", "b"), m("queue.delete", queue="q"), wait())
case("connection.close while there are consumers", declare("q"), consume("q", "a"), m("connection.close", ch=0, code=200, text="bye"))
case("requeue by reject goes back to its place", declare("q"), p("q", "1"), p("q", "2"), p("q", "3"), get("q"), get("q"), m("basic.reject", tag=1, requeue=1),
     get("q", no_ack=1), m("basic.reject", tag=2, requeue=1), get("q", no_ack=1), get("q", no_ack=1))
case("requeue by nack multiple goes back in order, before newer ones", declare("q"), p("q", "1"), p("q", "2"), p("q", "3"), get("q"), get("q"), p("q", "4"),
     m("basic.nack", tag=2, multiple=1, requeue=1), get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("requeue by recover", declare("q"), p("q", "1"), p("q", "2"), p("q", "3"), get("q"), get("q"), m("basic.recover", requeue=1),
     get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("recover to the channel's own consumer", declare("q"), p("q", "1"), p("q", "2"), consume("q", "c"), wait(), m("basic.recover", requeue=1), wait())
case("requeue by channel.close", opens(2), declare("q"), p("q", "1"), p("q", "2"), p("q", "3"), get("q", ch=2), get("q", ch=2), m("channel.close", ch=2),
     get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("requeue in reverse order", declare("q"), p("q", "1"), p("q", "2"), p("q", "3"), get("q"), get("q"), get("q"), m("basic.reject", tag=3, requeue=1),
     m("basic.reject", tag=2, requeue=1), m("basic.reject", tag=1, requeue=1), get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("nack requeue to the only consumer", declare("q"), p("q", "1"), p("q", "2"), m("basic.qos", prefetch_count=1), consume("q", "c"), wait(),
     m("basic.nack", tag=1, requeue=1), wait(), m("basic.ack", tag=2), wait())
case("cancel leaves unacked deliveries with the channel", declare("q"), p("q", "1"), consume("q", "c"), wait(), m("basic.cancel", consumer_tag="c"), m("basic.ack", tag=1), declare("q", passive=1))
case("qos per consumer: each has its own", declare("q"), *[p("q", str(i)) for i in range(5)], m("basic.qos", prefetch_count=1), consume("q", "a"), wait(),
     consume("q", "b"), wait(), m("basic.ack", tag=1), wait())
case("qos global: the consumers share it", declare("q"), *[p("q", str(i)) for i in range(5)], m("basic.qos", prefetch_count=3, is_global=1), consume("q", "a"), wait(),
     consume("q", "b"), wait(), m("basic.ack", tag=1), wait(), m("basic.qos", prefetch_count=4, is_global=1), wait(), m("basic.qos", prefetch_count=0, is_global=1), wait())
case("qos per consumer and global together", declare("q"), *[p("q", str(i)) for i in range(6)], m("basic.qos", prefetch_count=2), m("basic.qos", prefetch_count=3, is_global=1),
     consume("q", "a"), wait(), consume("q", "b"), wait())
case("qos per consumer changed later leaves old consumers", declare("q"), *[p("q", str(i)) for i in range(5)], m("basic.qos", prefetch_count=1), consume("q", "a"), wait(),
     m("basic.qos", prefetch_count=4), wait())
case("qos does not limit get, nor does a get count against it", declare("q"), *[p("q", str(i)) for i in range(4)], m("basic.qos", prefetch_count=1, is_global=1), get("q"), get("q"),
     consume("q", "a"), wait(), m("basic.ack", tag=1), wait(), m("basic.ack", tag=2), wait())
case("qos global lowered below what is outstanding", declare("q"), m("basic.qos", prefetch_count=3, is_global=1), consume("q", "a"), *[p("q", str(i), fence=False) for i in range(3)], wait(),
     m("basic.qos", prefetch_count=1, is_global=1), p("q", "3"), m("basic.ack", tag=1), wait(), m("basic.ack", tag=3, multiple=1), wait())
case("qos global does not count no-ack consumers", declare("q"), declare("r"), *[p("q", str(i)) for i in range(3)], *[p("r", str(i)) for i in range(3)], m("basic.qos", prefetch_count=1, is_global=1),
     consume("q", "a", no_ack=1), wait(), consume("r", "b"), wait())
case("recover gives a consumer its credit back", declare("q"), p("q", "1"), p("q", "2"), p("q", "3"), m("basic.qos", prefetch_count=2), consume("q", "c"), wait(), m("basic.recover", requeue=1), wait(),
     m("basic.ack", tag=4, multiple=1), wait())
case("no-ack consumer ignores prefetch", declare("q"), *[p("q", str(i)) for i in range(3)], m("basic.qos", prefetch_count=1), consume("q", "a", no_ack=1), wait())
case("consumer priorities: the higher one first, the lower when it is full", declare("q"), m("basic.qos", prefetch_count=2), consume("q", "low", arguments={"x-priority": 1}),
     consume("q", "high", arguments={"x-priority": 10}), *[p("q", str(i), fence=False) for i in range(5)], wait(0.5))
case("round robin", declare("q"), consume("q", "a"), consume("q", "b"), consume("q", "c"), *[p("q", str(i)) for i in range(6)], wait(0.5))
case("single active consumer: three, and the next when the first goes", declare("q", arguments={"x-single-active-consumer": True}), consume("q", "a"), consume("q", "b"),
     consume("q", "c"), p("q", "1"), p("q", "2"), wait(), m("basic.cancel", consumer_tag="a"), wait(), p("q", "3"), wait(), m("basic.cancel", consumer_tag="b"), p("q", "4"), wait())
case("single active consumer: a higher priority does not take over", declare("q", arguments={"x-single-active-consumer": True}), consume("q", "low", arguments={"x-priority": 1}),
     consume("q", "high", arguments={"x-priority": 5}), p("q", "1"), wait(), m("basic.cancel", consumer_tag="low"), p("q", "2"), wait())
case("single active consumer: a full one is not helped", declare("q", arguments={"x-single-active-consumer": True}), m("basic.qos", prefetch_count=1), consume("q", "a"), consume("q", "b"),
     p("q", "1"), p("q", "2"), wait(), m("basic.ack", tag=1), wait())
case("priority queue: requeue", declare("q", arguments={"x-max-priority": 3}), p("q", "l", priority=1), p("q", "h1", priority=3), p("q", "h2", priority=3), get("q"), get("q"),
     m("basic.nack", tag=2, multiple=1, requeue=1), get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("priority queue: max-length drops the lowest", declare("q", arguments={"x-max-priority": 3, "x-max-length": 2}), p("q", "h", priority=3), p("q", "l", priority=1), p("q", "m", priority=2),
     get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("priority queue: order, clamp, none", declare("q", arguments={"x-max-priority": 5}), p("q", "none"), p("q", "1", priority=1), p("q", "5", priority=5), p("q", "9", priority=9), p("q", "0", priority=0),
     *[get("q", no_ack=1) for _ in range(5)])
case("max-length drop-head", declare("q", arguments={"x-max-length": 2}), p("q", "1"), p("q", "2"), p("q", "3"), get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("max-length 0", declare("q", arguments={"x-max-length": 0}), m("confirm.select"), p("q", "1"), wait(), get("q", no_ack=1))
case("max-length-bytes counts bodies", declare("q", arguments={"x-max-length-bytes": 10}), p("q", "12345"), p("q", "67890"), declare("q", passive=1), p("q", "x"),
     get("q", no_ack=1), get("q", no_ack=1), get("q", no_ack=1))
case("max-length reject-publish drops in silence without confirms", declare("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}), p("q", "1"), p("q", "2"), get("q", no_ack=1), get("q", no_ack=1))
case("max-length and a requeue", declare("q", arguments={"x-max-length": 1}), p("q", "1"), get("q"), p("q", "2"), m("basic.reject", tag=1, requeue=1), get("q", no_ack=1), get("q", no_ack=1))
case("max-length-bytes smaller than the message", declare("q", arguments={"x-max-length-bytes": 3}), p("q", "12345"), declare("q", passive=1))
case("message ttl: runs on while unacked", declare("q"), p("q", "a", expiration="300"), get("q"), wait(0.6), m("basic.nack", tag=1, requeue=1), get("q"))
case("message ttl: at the head only", declare("q"), p("q", "a"), p("q", "b", expiration="1"), wait(0.3), declare("q", passive=1), get("q", no_ack=1), get("q"))
case("x-expires: a get puts it off", declare("q", arguments={"x-expires": 600}), wait(0.4), get("q"), wait(0.4), get("q"), wait(0.9), get("q"))
case("x-expires: a passive declare puts it off", declare("q", arguments={"x-expires": 600}), wait(0.4), declare("q", passive=1), wait(0.4), declare("q", passive=1), wait(0.9), declare("q", passive=1))
case("x-expires: a consumer keeps it", declare("q", arguments={"x-expires": 300}), consume("q", "c"), wait(0.7), m("basic.cancel", consumer_tag="c"), wait(0.6), declare("q", passive=1))
case("message ttl: x-message-ttl 0 with and without a consumer", declare("q", arguments={"x-message-ttl": 0}), p("q", "lost"), get("q", no_ack=1), consume("q", "c"), p("q", "kept"), wait())
case("alternate exchange: unroutable goes there, mandatory is content", exchange("ae", "fanout"), exchange("x", arguments={"alternate-exchange": "ae"}), declare("q"), bind("q", "ae"),
     p("nobody", "a", exchange="x", mandatory=1), wait(), get("q", no_ack=1))
case("alternate exchange absent", exchange("x", arguments={"alternate-exchange": "absent.ae"}), p("nobody", "a", exchange="x", mandatory=1), wait())
DLX = {"x-dead-letter-exchange": "dlx"}
TO_DEAD = (exchange("dlx", "fanout"), declare("dead"), bind("dead", "dlx"))
case("dead letter: rejected", *TO_DEAD, declare("q", arguments=DLX), p("q", "a", headers={"mine": 1}, delivery_mode=2), get("q"), m("basic.reject", tag=1), wait(), get("dead", no_ack=1))
case("dead letter: nacked twice by two queues, count", *TO_DEAD, declare("q", arguments=DLX), declare("dead2", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}), bind("dead2", "dlx"),
     p("q", "a"), get("q"), m("basic.nack", tag=1), wait(), get("dead2"), m("basic.nack", tag=2), wait(), get("q"), m("basic.nack", tag=3), wait(),
     get("dead", no_ack=1), get("dead", no_ack=1))
case("dead letter: expired by the queue", *TO_DEAD, declare("q", arguments={"x-message-ttl": 1, **DLX}), p("q", "a", headers={"CC": ["elsewhere"], "BCC": ["hidden"]}), wait(0.5), get("dead", no_ack=1))
case("dead letter: expired by the message", *TO_DEAD, declare("q", arguments=DLX), p("q", "a", expiration="1"), wait(0.5), get("dead", no_ack=1))
case("dead letter: maxlen", *TO_DEAD, declare("q", arguments={"x-max-length": 1, **DLX}), p("q", "a"), p("q", "b"), wait(), get("dead", no_ack=1))
case("dead letter: reject-publish-dlx", *TO_DEAD, declare("q", arguments={"x-max-length": 1, "x-overflow": "reject-publish-dlx", **DLX}), m("confirm.select"), p("q", "a"), p("q", "b"), wait(), get("dead", no_ack=1))
case("dead letter: with a routing key of its own and from an exchange", *TO_DEAD, exchange("x"), declare("q", arguments={"x-dead-letter-routing-key": "dk", **DLX}), bind("q", "x", "rk"), p("rk", "a", exchange="x"),
     get("q"), m("basic.reject", tag=1), wait(), get("dead", no_ack=1))
case("dead letter: a cycle of expiry is cut", declare("q", arguments={"x-dead-letter-exchange": "", "x-message-ttl": 1}), p("q", "a"), wait(0.5), get("q", no_ack=1), declare("q", passive=1))
case("dead letter: a cycle with a reject goes on", declare("q", arguments={"x-dead-letter-exchange": ""}), p("q", "a"), get("q"), m("basic.reject", tag=1), wait(), get("q"))
case("dead letter: to an absent exchange", declare("q", arguments={"x-dead-letter-exchange": "absent.dlx"}), p("q", "a"), get("q"), m("basic.reject", tag=1), wait(), declare("q", passive=1))
case("dead letter: purge and delete do not", *TO_DEAD, declare("q", arguments=DLX), p("q", "a"), m("queue.purge", queue="q"), p("q", "b"), m("queue.delete", queue="q"), wait(), get("dead", no_ack=1))
case("dead letter: the publisher's own x-death is replaced or kept", *TO_DEAD, declare("q", arguments=DLX), p("q", "a", headers={"x-death": "mine", "x-first-death-queue": "f"}), get("q"), m("basic.reject", tag=1), wait(),
     get("dead", no_ack=1))
case("dead letter: by two queues, with CC and an expiration of its own", exchange("x", "fanout"), declare("q1", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q2"}), bind("q1", "x"),
     declare("q2", arguments=DLX), *TO_DEAD, p("k", "a", exchange="x", expiration="1", headers={"CC": ["c1"], "BCC": ["b1"]}), wait(0.5), get("q2"), m("basic.reject", tag=1), wait(), get("dead", no_ack=1))
case("dead letter: the delivery limit of a quorum queue", *TO_DEAD, declare("qq", durable=1, arguments={"x-queue-type": "quorum", "x-delivery-limit": 1, **DLX}), p("qq", "a"), wait(0.5),
     consume("qq", "c"), wait(0.5), m("basic.reject", tag=1, requeue=1), wait(0.5), m("basic.reject", tag=2, requeue=1), wait(0.5), get("dead", no_ack=1))
case("dead letter: its exchange comes later", declare("q", arguments=DLX), p("q", "a"), p("q", "b"), get("q"), m("basic.reject", tag=1), wait(), *TO_DEAD, get("q"), m("basic.reject", tag=2), wait(),
     get("dead", no_ack=1), get("dead", no_ack=1))
case("exclusive consumer: refused beside others, and others beside it", declare("q"), opens(2, 3), consume("q", "a"), consume("q", "b", ch=2, exclusive=1), m("basic.cancel", consumer_tag="a"),
     consume("q", "c", exclusive=1), consume("q", "d", ch=3))
case("single active consumer: an exclusive one", declare("q", arguments={"x-single-active-consumer": True}), consume("q", "a", exclusive=1))
case("quorum: get with a single active consumer", declare("qq", durable=1, arguments={"x-queue-type": "quorum", "x-single-active-consumer": True}), get("qq"))
case("quorum: delete if-unused", declare("qq", durable=1, arguments={"x-queue-type": "quorum"}), m("queue.delete", queue="qq", if_unused=1))
case("quorum: delete if-empty", declare("qq", durable=1, arguments={"x-queue-type": "quorum"}), m("queue.delete", queue="qq", if_empty=1))


@custom("direct reply-to: the whole round, and the generated name")
def _(t):
    t.channel(2)
    t.ask(1, "basic.consume", queue="amq.rabbitmq.reply-to", consumer_tag="c", no_ack=1)
    t.ask(1, "queue.declare", queue="requests")
    t.publish(1, "requests", "ask", reply_to="amq.rabbitmq.reply-to", correlation_id="1")
    got = t.ask(2, "basic.get", queue="requests", no_ack=1)
    name = got.split("reply_to='")[1].split("'")[0]
    t.ask(2, "queue.declare", queue=name, passive=1)
    t.publish(2, name, "answer", correlation_id="1", mandatory=1)
    t.drain()
    t.ask(1, "basic.cancel", consumer_tag="c")
    t.publish(2, name, "too late", mandatory=1)
    t.drain()
    t.ask(2, "queue.declare", queue=name, passive=1)


@custom("queue.delete from another connection: the cancel notify")
def _(t):
    for capabilities in ({"consumer_cancel_notify": True}, {}):
        other = t.another(capabilities).channel(1)
        other.ask(1, "queue.declare", queue="q")
        other.ask(1, "basic.consume", queue="q", consumer_tag="c")
        t.ask(1, "queue.delete", queue="q")
        other.drain(0.5)
        other.ask(1, "basic.cancel", consumer_tag="c")
        other.end()


@custom("connection lost with unacked messages: redelivered, in order")
def _(t):
    t.ask(1, "queue.declare", queue="q")
    for body in "123":
        t.publish(1, "q", body)
    other = t.another().channel(1)
    other.ask(1, "basic.get", queue="q")
    other.ask(1, "basic.get", queue="q")
    other.wire.close()
    other.closed = True
    t.drain(0.5)
    for _ in range(3):
        t.ask(1, "basic.get", queue="q", no_ack=1)
