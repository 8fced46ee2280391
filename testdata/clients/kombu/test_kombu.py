"""kombu's ways of speaking to a broker, each in a test."""
import os
import socket
import threading
import time
import unittest
import uuid

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.common import Broadcast, itermessages, maybe_declare
from kombu.mixins import ConsumerMixin, ConsumerProducerMixin
from kombu.pidbox import Mailbox
from kombu.pools import producers


def connection(**args):
    return Connection(os.environ["AMQP_URL"], transport="pyamqp", connect_timeout=5, **args)


class KombuTest(unittest.TestCase):
    def setUp(self):
        self.name = "kombu-" + uuid.uuid4().hex[:12]
        # With confirms a published message is in its queue, whichever channel asks.
        self.connection = connection(transport_options={"confirm_publish": True})
        self.addCleanup(self.connection.release)

    def until(self, condition, conn=None, seconds=10):
        """Drain events until the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "nothing came of it")
            try:
                (conn or self.connection).drain_events(timeout=0.1)
            except socket.timeout:
                pass

    def queue(self, suffix="", exchange=None, **args):
        """A queue that is declared, and deleted when the test is over."""
        queue = Queue(self.name + suffix, exchange or Exchange(self.name + ".x"), **{"routing_key": self.name + suffix, "auto_delete": False, **args})
        bound = queue(self.connection.channel())
        bound.declare()
        self.addCleanup(self.scrap, queue)
        return bound

    def scrap(self, queue):
        with connection() as c:
            queue(c.channel()).delete()
            if queue.exchange and queue.exchange.name:
                queue.exchange(c.channel()).delete()


class SimpleTest(KombuTest):
    def test_simple_queue(self):
        with self.connection.SimpleQueue(self.name) as queue:
            for payload in ({"json": [1, 2, "ü"]}, "text", 7):
                queue.put(payload)
            self.assertEqual([{"json": [1, 2, "ü"]}, "text", 7], [self.take(queue) for _ in range(3)])
            with self.assertRaises(queue.Empty):
                queue.get(block=False)
            queue.put("x", compression="zlib")
            self.assertEqual("x", self.take(queue))
        self.scrap(queue.queue)

    def take(self, queue):
        message = queue.get(timeout=5)
        message.ack()
        return message.payload

    def test_simple_buffer(self):
        with self.connection.SimpleBuffer(self.name) as buffer:
            for i in range(50):
                buffer.put(i)
            self.assertEqual(list(range(50)), [buffer.get(timeout=5).payload for _ in range(50)])

    def test_simple_queue_length_and_clear(self):
        with self.connection.SimpleQueue(self.name) as queue:
            for i in range(3):
                queue.put(i)
            self.assertEqual(3, queue.qsize())
            queue.clear()
            self.assertEqual(0, queue.qsize())
        self.scrap(queue.queue)


class RoutingTest(KombuTest):
    def publish(self, exchange, *keys, **args):
        producer = Producer(self.connection.channel(), exchange)
        for key in keys:
            producer.publish(key, routing_key=key, **args)

    def collect(self, *queues, **args):
        got = []
        consumer = Consumer(self.connection.channel(), list(queues), callbacks=[lambda body, m: (got.append(body), m.ack())], **args)
        consumer.consume()
        self.addCleanup(consumer.cancel)
        return got

    def test_direct_topic_fanout(self):
        for kind, key, sent, wanted in (("direct", "a", ["a", "b"], ["a"]), ("topic", "a.*.#", ["a.b", "a", "a.b.c", "b.a"], ["a.b", "a.b.c"]), ("fanout", "", ["a", "b"], ["a", "b"])):
            with self.subTest(kind):
                exchange = Exchange(f"{self.name}.{kind}", kind, durable=False)
                got = self.collect(self.queue("." + kind, exchange, routing_key=key))
                self.publish(exchange, *sent)
                self.until(lambda: len(got) == len(wanted))
                self.assertEqual(wanted, got)

    def test_headers_exchange(self):
        exchange = Exchange(self.name + ".h", "headers")
        got = self.collect(self.queue("", exchange, binding_arguments={"x-match": "any", "colour": "red", "size": 3}))
        for key, headers in (("red", {"colour": "red"}), ("blue", {"colour": "blue"}), ("three", {"size": 3})):
            self.publish(exchange, key, headers=headers)
        self.until(lambda: len(got) == 2)
        self.assertEqual(["red", "three"], got)

    def test_exchange_bound_to_exchange(self):
        source, target = Exchange(self.name + ".s", "topic"), Exchange(self.name + ".t", "fanout")
        got = self.collect(self.queue("", target))
        source(self.connection.channel()).declare()
        self.addCleanup(source(self.connection.channel()).delete)
        target(self.connection.channel()).bind_to(source, routing_key="a.#")
        self.publish(source, "a.b", "b.a", "a")
        self.until(lambda: len(got) == 2)
        self.assertEqual(["a.b", "a"], got)

    def test_broadcast_reaches_all(self):
        queues = [Broadcast(self.name + ".all") for _ in range(3)]
        got = [self.collect(q) for q in queues]
        self.publish(queues[0].exchange, "news")
        self.until(lambda: all(got))
        self.assertEqual([["news"]] * 3, got)
        self.addCleanup(queues[0].exchange(self.connection.channel()).delete)

    def test_queue_arguments(self):
        queue = self.queue(expires=60, message_ttl=30, max_length=2, max_length_bytes=1000, max_priority=5)
        self.publish(queue.exchange, queue.name, queue.name, queue.name)
        self.assertEqual(2, queue.queue_declare(passive=True).message_count)
        with self.assertRaises(PreconditionFailed) as caught:
            Queue(queue.name, expires=60, message_ttl=30, max_length=2, max_length_bytes=1000, max_priority=6)(self.connection.channel()).queue_declare()
        self.assertEqual(f"PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue '{queue.name}' in vhost '/': received '6' but current is '5'", caught.exception.reply_text)

    def test_priority_consumer(self):
        low, high = [], []
        queue = self.queue()
        for got, args in ((low, None), (high, {"x-priority": 10})):
            channel = self.connection.channel()
            channel.basic_qos(0, 2, False)
            Consumer(channel, Queue(queue.name, no_declare=True, consumer_arguments=args), callbacks=[lambda b, m, got=got: got.append(m)]).consume()
        self.publish(queue.exchange, *[queue.name] * 5)
        self.until(lambda: len(low) == len(high) == 2)
        high[0].ack()
        self.until(lambda: len(high) == 3)
        self.assertEqual(2, len(low))

    def test_reject_requeue_and_redelivered(self):
        queue = self.queue()
        self.publish(queue.exchange, queue.name)
        first = queue.get()
        self.assertFalse(first.delivery_info["redelivered"])
        first.requeue()
        second = queue.get()
        self.assertTrue(second.delivery_info["redelivered"])
        second.reject()
        self.assertIsNone(queue.get())

    def test_dead_letters(self):
        dead = self.queue(".dead", Exchange(self.name + ".dlx", "fanout"))
        queue = self.queue(queue_arguments={"x-dead-letter-exchange": self.name + ".dlx"})
        got = self.collect(dead)
        self.publish(queue.exchange, queue.name)
        queue.get().reject()
        self.until(lambda: got)
        self.assertEqual([queue.name], got)

    def test_mandatory_and_confirms(self):
        returned = []
        producer = Producer(self.connection.channel(), Exchange("amq.topic", "topic"), on_return=lambda err, exchange, key, message: returned.append((err.reply_code, exchange, key)))
        producer.publish("x", routing_key=self.name, mandatory=True)
        self.until(lambda: returned)
        self.assertEqual([(312, "amq.topic", self.name)], returned)

    def test_refusals(self):
        with self.assertRaises(NotFound) as caught:
            Queue(self.name)(self.connection.channel()).queue_declare(passive=True)
        self.assertEqual((404, f"NOT_FOUND - no queue '{self.name}' in vhost '/'"), (caught.exception.reply_code, caught.exception.reply_text))
        with self.assertRaises(AccessRefused) as caught:
            Queue("amq.mine")(self.connection.channel()).queue_declare()
        self.assertEqual("ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", caught.exception.reply_text)

    def test_prefetch(self):
        queue, got = self.queue(), []
        consumer = Consumer(self.connection.channel(), queue, callbacks=[lambda b, m: got.append(m)], prefetch_count=3)
        consumer.consume()
        self.publish(queue.exchange, *[queue.name] * 10)
        self.until(lambda: len(got) == 3)
        self.assertEqual(7, queue.queue_declare(passive=True).message_count)
        got[0].ack()
        self.until(lambda: len(got) == 4)

    def test_itermessages(self):
        queue = self.queue()
        self.publish(queue.exchange, *[queue.name] * 5)
        got = [m.ack() or body for body, m in itermessages(self.connection, self.connection.channel(), Queue(queue.name, no_declare=True), limit=5, timeout=5)]
        self.assertEqual([queue.name] * 5, got)


class MailboxTest(KombuTest):
    """pidbox: what Celery's inspect and control stand on."""

    def setUp(self):
        super().setUp()
        self.mailbox = Mailbox(self.name, type="fanout")
        self.connections, self.stop = [], threading.Event()
        self.threads = [threading.Thread(target=self.serve, args=(host,), daemon=True) for host in ("a@x", "b@x")]
        self.ready = threading.Barrier(3)
        for t in self.threads:
            t.start()
        self.ready.wait(10)
        self.addCleanup(self.join)

    def join(self):
        self.stop.set()
        for t in self.threads:
            t.join(10)
            self.assertFalse(t.is_alive())
        channel = self.connection.channel()
        self.mailbox.exchange(channel).delete()
        self.mailbox.reply_exchange(channel).delete()

    def serve(self, host):
        with connection() as c:
            node = self.mailbox.Node(host, channel=c.channel(), state={"seen": []})
            node.handlers["add"] = lambda state, x, y: x + y
            node.handlers["seen"] = lambda state: state["seen"]
            node.handlers["note"] = lambda state, what: state["seen"].append(what)
            consumer = node.listen()
            self.ready.wait(10)
            while not self.stop.is_set():
                try:
                    c.drain_events(timeout=0.1)
                except socket.timeout:
                    pass
            consumer.cancel()

    def test_call_cast_and_broadcast(self):
        box = self.mailbox(self.connection)
        self.assertEqual([{"a@x": 5}], box.call(["a@x"], "add", {"x": 2, "y": 3}, timeout=5))
        box.multi_call("note", {"what": "all"}, timeout=0.1)
        box.cast(["b@x"], "note", {"what": "b"})
        answers = {}
        for answer in box.multi_call("seen", timeout=5, limit=2):
            answers.update(answer)
        self.assertEqual({"a@x": ["all"], "b@x": ["all", "b"]}, answers)


class MixinTest(KombuTest):
    def test_consumer_mixin_and_producer_pool(self):
        queue = self.queue()

        class Worker(ConsumerMixin):
            def __init__(self, c):
                self.connection, self.got = c, []

            def get_consumers(self, make, channel):
                return [make([queue], callbacks=[self.on_task], prefetch_count=5)]

            def on_task(self, body, message):
                self.got.append(body["n"])
                message.ack()
                self.should_stop = len(self.got) == 500

        with producers[self.connection].acquire(block=True) as producer:
            for n in range(500):
                producer.publish({"n": n}, exchange=queue.exchange, routing_key=queue.name, declare=[queue])
        worker = Worker(connection())
        worker.run(timeout=10)
        worker.connection.release()
        self.assertEqual(list(range(500)), worker.got)

    def test_rpc_with_consumer_producer_mixin(self):
        queue = self.queue()

        class Server(ConsumerProducerMixin):
            def __init__(self, c):
                self.connection = c

            def get_consumers(self, make, channel):
                return [make([queue], on_message=self.on_request, prefetch_count=1)]

            def on_request(self, message):
                self.producer.publish({"square": message.payload["n"] ** 2}, exchange="", routing_key=message.properties["reply_to"],
                                      correlation_id=message.properties["correlation_id"], retry=True)
                message.ack()
                self.should_stop = message.payload["n"] == 9

        server = Server(connection())
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        answers = {}
        reply = Queue(self.name + ".reply", exclusive=True, auto_delete=True)(self.connection.channel())
        Consumer(reply.channel, reply, no_ack=True, callbacks=[lambda body, m: answers.update({m.properties["correlation_id"]: body["square"]})]).consume()
        producer = Producer(self.connection.channel())
        for n in range(10):
            producer.publish({"n": n}, exchange=queue.exchange, routing_key=queue.name, reply_to=reply.name, correlation_id=str(n), declare=[queue])
        self.until(lambda: len(answers) == 10)
        thread.join(10)
        server.connection.release()
        self.assertEqual({str(n): n * n for n in range(10)}, answers)


class RetryTest(KombuTest):
    def test_publish_survives_a_lost_connection(self):
        queue = self.queue()
        errors = []
        producer = Producer(self.connection.channel(), queue.exchange)
        producer.publish("before", routing_key=queue.name)
        self.connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
        producer.publish("after", routing_key=queue.name, retry=True, retry_policy={"max_retries": 5, "interval_start": 0, "interval_step": 0.1, "errback": lambda err, delay: errors.append(err)})
        producer.publish("later", routing_key=queue.name, retry=True)
        with connection() as c:
            self.eventually_counts(queue(c.channel()), 3)

    def eventually_counts(self, queue, want):
        end = time.monotonic() + 10
        while (got := queue.queue_declare(passive=True).message_count) != want and time.monotonic() < end:
            pass
        self.assertEqual(want, got)

    def test_autoretry_revives_the_channel(self):
        queue = self.queue()
        calls = []

        def work(channel=None):
            calls.append(channel)
            if len(calls) == 1:
                self.connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
            return queue(channel).queue_declare(passive=True).queue

        wrapped = self.connection.autoretry(work, max_retries=3, interval_start=0)
        self.assertEqual(queue.name, wrapped()[0])
        self.assertEqual(2, len(calls))

    def test_maybe_declare_and_heartbeats(self):
        with connection(heartbeat=1) as c:
            c.connect()
            self.assertTrue(c.supports_heartbeats)
            maybe_declare(Exchange(self.name + ".m", "direct", auto_delete=True), c.channel())
            end = time.monotonic() + 4
            while time.monotonic() < end:
                c.heartbeat_check(rate=2)
                try:
                    c.drain_events(timeout=0.4)
                except socket.timeout:
                    pass
            self.assertTrue(c.connected)
            Exchange(self.name + ".m")(c.channel()).delete()
