"""py-amqp, the layer below kombu: what it alone can ask for."""
import os
import time
import unittest
import uuid
from urllib.parse import urlsplit

import amqp
from amqp.exceptions import AccessRefused, MessageNacked, NotAllowed, PreconditionFailed

URL = urlsplit(os.environ["AMQP_URL"])


class AmqpTest(unittest.TestCase):
    def setUp(self):
        self.name = "py-amqp-" + uuid.uuid4().hex[:12]
        self.connection = self.connect()
        self.channel = self.connection.channel()

    def connect(self, **args):
        c = amqp.Connection(f"{URL.hostname}:{URL.port or 5672}", connect_timeout=5, **args)
        c.connect()
        self.addCleanup(c.collect)
        return c

    def queue(self, **args):
        self.channel.queue_declare(self.name, **{"exclusive": True, **args})
        return self.name

    def test_login_methods(self):
        for method in ("PLAIN", "AMQPLAIN"):
            c = self.connect(login_method=method)
            self.assertIn(method, c.mechanisms if isinstance(c.mechanisms[0], str) else [m.decode() for m in c.mechanisms])
            c.channel().close()
            with self.assertRaises(AccessRefused) as caught:
                self.connect(login_method=method, password="wrong")
            self.assertEqual(f"ACCESS_REFUSED - Login was refused using authentication mechanism {method}. For details see the broker logfile.", caught.exception.reply_text)

    def test_absent_vhost(self):
        with self.assertRaises(NotAllowed) as caught:
            self.connect(virtual_host="absent")
        self.assertEqual((530, "NOT_ALLOWED - vhost absent not found"), (caught.exception.reply_code, caught.exception.reply_text))

    def test_server_properties(self):
        self.assertEqual((0, 9), (self.connection.version_major, self.connection.version_minor))
        self.assertTrue(self.connection.server_capabilities["publisher_confirms"])
        self.assertTrue({"product", "version", "platform", "information", "copyright", "cluster_name"} <= set(self.connection.server_properties))

    def test_silent_peer_is_cut_off(self):
        began = time.monotonic()
        c = self.connect(heartbeat=1)
        c.sock.settimeout(8)
        with self.assertRaises((ConnectionError, EOFError)):
            while True:
                if not c.sock.recv(4096):
                    raise EOFError
        self.assertLess(1, time.monotonic() - began)

    def test_confirms(self):
        c = self.connect(confirm_publish=True)
        channel = c.channel()
        for i in range(20):
            channel.basic_publish(amqp.Message(str(i)), routing_key=self.queue())
        self.assertEqual(20, self.channel.queue_declare(self.name, passive=True).message_count)

    def test_nack_by_overflow(self):
        queue = self.queue(arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        channel = self.connect(confirm_publish=True).channel()
        channel.basic_publish(amqp.Message("1"), routing_key=queue)
        with self.assertRaises(MessageNacked):
            channel.basic_publish(amqp.Message("2"), routing_key=queue)

    def test_returned_messages(self):
        returned = []
        self.channel.events["basic_return"].add(lambda *args: returned.append(args))
        self.channel.basic_publish(amqp.Message("body", message_id="m"), "amq.direct", "nobody", mandatory=True)
        while not returned:
            self.connection.drain_events(timeout=5)
        error, exchange, key, message = returned[0]
        self.assertEqual((312, "NO_ROUTE", "amq.direct", "nobody", "body", "m"), (error.reply_code, error.reply_text, exchange, key, message.body, message.message_id))

    def test_transactions(self):
        queue = self.queue()
        self.channel.tx_select()
        self.channel.basic_publish(amqp.Message("1"), routing_key=queue)
        self.assertIsNone(self.channel.basic_get(queue))
        self.channel.tx_commit()
        message = self.channel.basic_get(queue)
        self.channel.basic_ack(message.delivery_tag)
        self.channel.tx_rollback()
        self.channel.basic_recover(requeue=True)
        self.assertEqual("1", self.channel.basic_get(queue).body)

    def test_every_table_type(self):
        queue = self.queue()
        headers = {"i": 1, "l": 1 << 40, "n": -5, "t": True, "f": 2.5, "v": None, "s": "ü", "a": [1, "x", None], "d": {"k": {"deep": [True]}}}
        self.channel.basic_publish(amqp.Message("", application_headers=headers), routing_key=queue)
        self.assertEqual(headers, self.channel.basic_get(queue, no_ack=True).headers)

    def test_exchange_bind_and_unbind(self):
        queue, x = self.queue(), self.name + ".x"
        self.channel.exchange_declare(x, "fanout", auto_delete=True)
        self.channel.queue_bind(queue, x)
        self.channel.exchange_bind(x, "amq.topic", self.name + ".#")
        self.channel.basic_publish(amqp.Message("through"), "amq.topic", self.name + ".a")
        self.assertEqual("through", self.channel.basic_get(queue, no_ack=True).body)
        self.channel.exchange_unbind(x, "amq.topic", self.name + ".#")
        self.channel.basic_publish(amqp.Message("not"), "amq.topic", self.name + ".a")
        self.assertIsNone(self.channel.basic_get(queue))

    def test_flow(self):
        self.channel.flow(True)
        self.assertEqual(0, self.channel.queue_declare(self.queue(), passive=True).message_count)

    def test_cancel_notify(self):
        queue, cancelled = self.queue(exclusive=False), []
        tag = self.channel.basic_consume(queue, on_cancel=cancelled.append)
        self.connect().channel().queue_delete(queue)
        while not cancelled:
            self.connection.drain_events(timeout=5)
        self.assertEqual([tag], cancelled)

    def test_channel_error_names_its_method(self):
        with self.assertRaises(PreconditionFailed) as caught:
            self.queue()
            self.channel.queue_declare(self.name, exclusive=True, auto_delete=True, arguments={"x-max-length": -1})
        self.assertEqual((406, 50, 10), (caught.exception.reply_code, *caught.exception.method_sig))
        # py-amqp opens the same channel number again, and the connection is unharmed.
        self.assertEqual(self.name, self.channel.queue_declare(self.name, passive=True).queue)

    def test_server_named_queues_are_gone_with_the_connection(self):
        other = self.connect()
        name = other.channel().queue_declare(exclusive=True).queue
        other.close()
        with self.assertRaises(amqp.NotFound):
            self.channel.queue_declare(name, passive=True)
