"""What the pika tests share: a connection a test, names of its own, refusals."""
import os
import time
import unittest
import uuid

import pika
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"
LOCKED = ("cannot obtain exclusive access to locked queue '{}' in vhost '/'. It could be originally declared on another "
          "connection or the exclusive property value does not match that of the original declaration.")


def parameters(**changes):
    """Connection parameters for AMQP_URL, with some attributes changed."""
    p = pika.URLParameters(os.environ["AMQP_URL"].rstrip("/") + "/%2F")
    for name, value in changes.items():
        setattr(p, name, value)
    return p


class BrokerTest(unittest.TestCase):
    """A test with a connection and a channel of its own."""

    def setUp(self):
        self.connection = self.connect()
        self.channel = self.connection.channel()
        self.name = "pika-" + uuid.uuid4().hex[:12]

    def connect(self, **changes):
        c = pika.BlockingConnection(parameters(**changes))
        self.addCleanup(lambda: c.is_open and c.close())
        return c

    def new_channel(self):
        return self.connect().channel()

    def queue(self, suffix="", channel=None, **args):
        """Declare a queue that is deleted when the test is over."""
        name = self.name + suffix
        (channel or self.channel).queue_declare(name, **args)
        self.addCleanup(self.scrap, "queue_delete", name)
        return name

    def exchange(self, kind, suffix=".x", **args):
        """Declare an exchange that is deleted when the test is over."""
        name = self.name + suffix
        self.channel.exchange_declare(name, kind, **args)
        self.addCleanup(self.scrap, "exchange_delete", name)
        return name

    def scrap(self, verb, name):
        connection = pika.BlockingConnection(parameters())
        try:
            getattr(connection.channel(), verb)(name)
        except ChannelClosedByBroker:
            pass  # it went with its connection, or belongs to another
        connection.close()

    def publish(self, key, *bodies, exchange="", channel=None, **properties):
        for body in bodies:
            (channel or self.channel).basic_publish(exchange, key, body, pika.BasicProperties(**properties))

    def bodies(self, queue, channel=None):
        """Get all that is ready, without acknowledgement."""
        got = []
        while True:
            method, _, body = (channel or self.channel).basic_get(queue, auto_ack=True)
            if method is None:
                return got
            got.append(body.decode())

    def until(self, condition, connection=None, seconds=10):
        """Serve the connection until the condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "nothing came of it")
            (connection or self.connection).process_data_events(time_limit=0.05)

    def eventually(self, call, want, seconds=10):
        """Call until the answer is as wanted; for what the broker does by the clock."""
        end = time.monotonic() + seconds
        while (got := call()) != want:
            if time.monotonic() > end:
                self.assertEqual(want, got)
            self.connection.process_data_events(time_limit=0.02)

    def count(self, queue, channel=None):
        """The ready messages; RabbitMQ may leave out those published just now and not confirmed."""
        return (channel or self.channel).queue_declare(queue, passive=True).method.message_count

    def refused(self, code, text, call, *args, **kwargs):
        """The call must close its channel with exactly this."""
        with self.assertRaises(ChannelClosedByBroker) as caught:
            call(*args, **kwargs)
        self.assertEqual((code, text), (caught.exception.reply_code, caught.exception.reply_text))

    def cut_off(self, code, text, call, *args, **kwargs):
        """The call must close its connection with exactly this."""
        with self.assertRaises(ConnectionClosedByBroker) as caught:
            call(*args, **kwargs)
        self.assertEqual((code, text), (caught.exception.reply_code, caught.exception.reply_text))
