"""Publishing, consuming and settling, through pika."""
import pika
from base import DIRECT_REPLY_TO, BrokerTest, parameters
from pika.exceptions import NackError, UnroutableError


class ConsumeTest(BrokerTest):
    def consume(self, queue, channel=None, **args):
        """Consume into a list of (tag, redelivered, body)."""
        got = []
        tag = (channel or self.channel).basic_consume(queue, lambda ch, m, p, body: got.append((m.delivery_tag, m.redelivered, body.decode())), **args)
        return got, tag

    def test_order_tags_and_ack(self):
        queue = self.queue()
        got, _ = self.consume(queue)
        self.publish(queue, *[str(i).encode() for i in range(100)])
        self.until(lambda: len(got) == 100)
        self.assertEqual([(i + 1, False, str(i)) for i in range(100)], got)
        self.channel.basic_ack(100, multiple=True)
        self.connection.close()
        self.assertEqual(0, self.count(queue, self.new_channel()))

    def test_properties_and_headers_come_back(self):
        queue = self.queue()
        wanted = pika.BasicProperties(content_type="text/plain", content_encoding="utf-8", delivery_mode=2, priority=3, correlation_id="c", reply_to="r", message_id="m",
                                      timestamp=1700000000, type="t", user_id="guest", app_id="a", cluster_id="cl", expiration="60000",
                                      headers={"int": 1, "long": 1 << 40, "true": True, "none": None, "str": "ü", "list": [1, "two", [3]], "table": {"k": {"deep": "v"}}})
        self.channel.basic_publish("", queue, b"body", wanted)
        method, got, body = self.channel.basic_get(queue, auto_ack=True)
        self.assertEqual((wanted, b"body", "", queue, 0), (got, body, method.exchange, method.routing_key, method.message_count))

    def test_empty_and_large_bodies(self):
        queue = self.queue()
        for size in (0, 1, 131064, 131065, 131072, 1 << 20, 3 << 20):
            self.channel.basic_publish("", queue, b"x" * size)
            self.assertEqual(size, len(self.channel.basic_get(queue, auto_ack=True)[2]))

    def test_get_empty(self):
        self.assertEqual((None, None, None), self.channel.basic_get(self.queue()))

    def test_reject_and_nack_requeue_in_place(self):
        queue = self.queue()
        self.publish(queue, b"1", b"2", b"3", b"4")
        tags = [self.channel.basic_get(queue)[0].delivery_tag for _ in range(3)]
        self.channel.basic_reject(tags[1], requeue=True)
        self.channel.basic_nack(tags[2], multiple=True, requeue=True)
        got = [self.channel.basic_get(queue, auto_ack=True) for _ in range(4)]
        self.assertEqual([("1", True), ("2", True), ("3", True), ("4", False)], [(b.decode(), m.redelivered) for m, _, b in got])

    def test_reject_drops(self):
        queue = self.queue()
        self.publish(queue, b"1")
        self.channel.basic_reject(self.channel.basic_get(queue)[0].delivery_tag, requeue=False)
        self.assertEqual([], self.bodies(queue))

    def test_recover(self):
        queue = self.queue()
        self.publish(queue, b"1", b"2")
        got, _ = self.consume(queue)
        self.until(lambda: len(got) == 2)
        self.channel.basic_recover(requeue=True)
        self.until(lambda: len(got) == 4)
        self.assertEqual([(3, True, "1"), (4, True, "2")], got[2:])

    def test_closing_the_channel_requeues(self):
        queue, other = self.queue(), self.connection.channel()
        self.publish(queue, b"1", b"2")
        self.eventually(lambda: self.count(queue), 2)
        other.basic_get(queue)
        other.close()
        method, _, body = self.channel.basic_get(queue, auto_ack=True)
        self.assertEqual((b"1", True), (body, method.redelivered))

    def test_unknown_delivery_tag(self):
        for verb, args in (("basic_ack", {}), ("basic_nack", {"multiple": True}), ("basic_reject", {})):
            channel = self.connection.channel()
            getattr(channel, verb)(7, **args)
            self.refused(406, "PRECONDITION_FAILED - unknown delivery tag 7", channel.queue_declare, "", exclusive=True)

    def test_ack_all_of_nothing(self):
        self.channel.basic_ack(0, multiple=True)
        self.channel.queue_declare("", exclusive=True)

    def test_qos_a_consumer(self):
        queue = self.queue()
        self.publish(queue, *[b"x"] * 10)
        self.channel.basic_qos(prefetch_count=2)
        first, _ = self.consume(queue)
        second, _ = self.consume(queue)
        self.until(lambda: len(first) == 2 and len(second) == 2)
        self.assertEqual(6, self.count(queue))
        self.channel.basic_ack(first[0][0])
        self.until(lambda: len(first) == 3)
        self.assertEqual((2, 5), (len(second), self.count(queue)))

    def test_qos_global(self):
        queue = self.queue()
        self.publish(queue, *[b"x"] * 10)
        self.channel.basic_qos(prefetch_count=3, global_qos=True)
        first, _ = self.consume(queue)
        second, _ = self.consume(queue)
        self.until(lambda: len(first) + len(second) == 3)
        self.assertEqual(7, self.count(queue))
        self.channel.basic_ack(0, multiple=True)
        self.until(lambda: len(first) + len(second) == 6)
        self.assertEqual(4, self.count(queue))

    def test_qos_size_is_refused(self):
        self.cut_off(540, "NOT_IMPLEMENTED - prefetch_size!=0 (10)", self.connect().channel().basic_qos, prefetch_size=10)

    def test_consumer_priorities(self):
        queue = self.queue()
        self.channel.basic_qos(prefetch_count=2)
        low, _ = self.consume(queue)
        high, _ = self.consume(queue, arguments={"x-priority": 10})
        self.publish(queue, *[b"x"] * 5)
        self.until(lambda: len(high) == 2 and len(low) == 2)
        self.channel.basic_ack(high[0][0])
        self.until(lambda: len(high) == 3)
        self.assertEqual(2, len(low))

    def test_exclusive_consumer(self):
        queue = self.queue()
        tag = self.channel.basic_consume(queue, print, exclusive=True)
        told = f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"
        self.refused(403, told, self.connection.channel().basic_consume, queue, print)
        self.channel.basic_cancel(tag)
        self.channel.basic_consume(queue, print)
        self.refused(403, told, self.connection.channel().basic_consume, queue, print, exclusive=True)

    def test_single_active_consumer(self):
        queue = self.queue(arguments={"x-single-active-consumer": True})
        first, tag = self.consume(queue, auto_ack=True)
        second, _ = self.consume(queue, auto_ack=True)
        self.publish(queue, b"1", b"2")
        self.until(lambda: len(first) == 2)
        self.channel.basic_cancel(tag)
        self.publish(queue, b"3")
        self.until(lambda: len(second) == 1)

    def test_round_robin(self):
        queue = self.queue()
        all_got = [self.consume(queue, auto_ack=True)[0] for _ in range(3)]
        self.publish(queue, *[b"x"] * 9)
        self.until(lambda: sum(map(len, all_got)) == 9)
        self.assertEqual([3, 3, 3], [len(got) for got in all_got])

    def test_cancel_notify(self):
        queue = self.queue()
        cancelled = []
        self.channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
        _, tag = self.consume(queue)
        self.new_channel().queue_delete(queue)
        self.until(lambda: cancelled)
        self.assertEqual([tag], cancelled)

    def test_consume_absent(self):
        self.refused(404, f"NOT_FOUND - no queue '{self.name}' in vhost '/'", self.channel.basic_consume, self.name, print)

    def test_generator_with_inactivity(self):
        queue = self.queue()
        self.publish(queue, b"1", b"2")
        got = []
        for _, _, body in self.channel.consume(queue, auto_ack=True, inactivity_timeout=0.3):
            if body is None:
                break
            got.append(body)
        self.assertEqual([b"1", b"2"], got)
        self.assertEqual(0, self.channel.cancel())

    def test_direct_reply_to(self):
        requests, server = self.queue(), self.connect().channel()
        answers, _ = self.consume(DIRECT_REPLY_TO, auto_ack=True)
        self.publish(requests, b"ask", reply_to=DIRECT_REPLY_TO, correlation_id="7")
        self.eventually(lambda: self.count(requests), 1)
        _, properties, _ = server.basic_get(requests, auto_ack=True)
        self.assertTrue(properties.reply_to.startswith(DIRECT_REPLY_TO + "."))
        self.assertEqual(1, server.queue_declare(properties.reply_to, passive=True).method.consumer_count)
        self.publish(properties.reply_to, b"answer", channel=server, correlation_id="7")
        self.until(lambda: answers)
        self.assertEqual((1, False, "answer"), answers[0])

    def test_direct_reply_to_refusals(self):
        ask = pika.BasicProperties(reply_to=DIRECT_REPLY_TO)
        channel = self.connection.channel()
        channel.basic_publish("", "anything", b"", ask)
        self.refused(406, "PRECONDITION_FAILED - fast reply consumer does not exist", channel.queue_declare, "", exclusive=True)
        self.refused(406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", self.connection.channel().basic_consume, DIRECT_REPLY_TO, print)
        self.channel.basic_consume(DIRECT_REPLY_TO, print, auto_ack=True)
        self.refused(406, "PRECONDITION_FAILED - reply consumer already set", self.channel.basic_consume, DIRECT_REPLY_TO, print, auto_ack=True)


class PublishTest(BrokerTest):
    def test_confirms(self):
        queue = self.queue(durable=True)
        self.channel.confirm_delivery()
        self.publish(queue, *[b"x"] * 50, delivery_mode=2)
        self.assertEqual(50, self.count(queue))
        self.publish("absent-" + queue, b"unroutable, and confirmed all the same")

    def test_mandatory_return(self):
        self.channel.confirm_delivery()
        with self.assertRaises(UnroutableError) as caught:
            self.channel.basic_publish("amq.topic", "nobody.here", b"body", pika.BasicProperties(message_id="m"), mandatory=True)
        returned = caught.exception.messages[0]
        self.assertEqual((312, "NO_ROUTE", "amq.topic", "nobody.here", "m", b"body"),
                         (returned.method.reply_code, returned.method.reply_text, returned.method.exchange, returned.method.routing_key, returned.properties.message_id, returned.body))

    def test_overflow_rejects(self):
        queue = self.queue(arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        self.channel.confirm_delivery()
        self.publish(queue, b"1")
        with self.assertRaises(NackError):
            self.publish(queue, b"2")
        self.assertEqual(["1"], self.bodies(queue))

    def test_overflow_drops_the_head(self):
        queue = self.queue(arguments={"x-max-length": 2})
        self.publish(queue, b"1", b"2", b"3")
        self.assertEqual(["2", "3"], self.bodies(queue))

    def test_absent_exchange(self):
        self.channel.confirm_delivery()
        self.refused(404, f"NOT_FOUND - no exchange '{self.name}' in vhost '/'", self.publish, "k", b"", exchange=self.name)

    def test_expiration(self):
        queue = self.queue()
        self.channel.confirm_delivery()
        self.publish(queue, b"old", expiration="1")
        self.eventually(lambda: self.count(queue), 0)
        self.publish(queue, b"young", expiration="60000")
        self.assertEqual(["young"], self.bodies(queue))
        self.refused(406, 'PRECONDITION_FAILED - invalid expiration \'10ms\': {leftover_string,"ms"}', self.publish, queue, b"", expiration="10ms")

    def test_queue_ttl_and_dead_letters(self):
        dead = self.queue(".dead")
        queue = self.queue(arguments={"x-message-ttl": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
        self.publish(queue, b"body", headers={"mine": 1})
        self.eventually(lambda: self.count(dead), 1)
        _, properties, body = self.channel.basic_get(dead, auto_ack=True)
        death = properties.headers["x-death"][0]
        self.assertEqual((b"body", 1, 1, "expired", queue, "", [queue]),
                         (body, properties.headers["mine"], death["count"], death["reason"], death["queue"], death["exchange"], death["routing-keys"]))
        self.assertEqual(("expired", queue, ""), tuple(properties.headers["x-first-death-" + k] for k in ("reason", "queue", "exchange")))

    def test_rejected_and_dropped_are_dead_lettered(self):
        x, dead = self.exchange("fanout"), self.queue(".dead")
        self.channel.queue_bind(dead, x)
        queue = self.queue(arguments={"x-max-length": 1, "x-dead-letter-exchange": x})
        self.publish(queue, b"1", b"2")
        self.eventually(lambda: self.count(dead), 1)
        self.channel.basic_nack(self.channel.basic_get(queue)[0].delivery_tag, requeue=False)
        self.eventually(lambda: self.count(dead), 2)
        reasons = [(body, p.headers["x-death"][0]["reason"]) for _, p, body in (self.channel.basic_get(dead, auto_ack=True) for _ in range(2))]
        self.assertEqual([(b"1", "maxlen"), (b"2", "rejected")], reasons)

    def test_priorities(self):
        queue = self.queue(arguments={"x-max-priority": 5})
        for body, properties in ((b"none", {}), (b"1", {"priority": 1}), (b"5", {"priority": 5}), (b"9", {"priority": 9})):
            self.publish(queue, body, **properties)
        self.assertEqual(["5", "9", "1", "none"], self.bodies(queue))

    def test_copies(self):
        queues = [self.queue(s) for s in (".to", ".cc", ".bcc")]
        self.publish(queues[0], b"x", headers={"CC": [queues[1]], "BCC": [queues[2]]})
        for queue in queues:
            self.assertEqual({"CC": [queues[1]]}, self.channel.basic_get(queue, auto_ack=True)[1].headers)

    def test_user_id(self):
        self.channel.confirm_delivery()
        self.refused(406, "PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user was 'guest'", self.publish, "k", b"", user_id="someone")

    def test_tx(self):
        queue = self.queue()
        self.channel.tx_select()
        self.publish(queue, b"1", b"2")
        self.assertEqual(0, self.count(queue))
        self.channel.tx_commit()
        self.assertEqual(2, self.count(queue))
        self.publish(queue, b"3")
        self.channel.basic_ack(self.channel.basic_get(queue)[0].delivery_tag)
        self.channel.tx_rollback()
        self.channel.close()
        self.assertEqual(["1", "2"], self.bodies(queue, self.connection.channel()))

    def test_tx_and_confirm_do_not_mix(self):
        self.channel.tx_select()
        self.refused(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", self.channel.confirm_delivery)
        other = self.connection.channel()
        other.confirm_delivery()
        self.refused(406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", other.tx_select)
        self.refused(406, "PRECONDITION_FAILED - channel is not transactional", self.connection.channel().tx_commit)


class AsyncTest(BrokerTest):
    """The asynchronous adapter: many confirms at once, over one connection."""

    def test_a_thousand_confirms(self):
        queue, settled, connections = self.queue(), set(), []

        def on_confirm(frame):
            tag = frame.method.delivery_tag
            self.assertIsInstance(frame.method, pika.spec.Basic.Ack)
            settled.update(range(max(settled, default=0) + 1, tag + 1) if frame.method.multiple else [tag])
            if len(settled) == 1000:
                connections[0].close()

        def on_channel(channel):
            channel.confirm_delivery(on_confirm)
            for i in range(1000):
                channel.basic_publish("", queue, str(i).encode())

        connection = pika.SelectConnection(parameters(), on_open_callback=lambda c: c.channel(on_open_callback=on_channel), on_open_error_callback=lambda c, err: c.ioloop.stop(),
                                           on_close_callback=lambda c, reason: c.ioloop.stop())
        connections.append(connection)
        connection.ioloop.call_later(20, connection.ioloop.stop)
        connection.ioloop.start()
        self.assertEqual(1000, len(settled))
        self.assertEqual([str(i) for i in range(1000)], self.bodies(queue))
