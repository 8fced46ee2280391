"""Connections, queues, exchanges and bindings, through pika."""
import socket
import struct

import pika
from base import LOCKED, BrokerTest, parameters
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker, ProbableAccessDeniedError, ProbableAuthenticationError


class Amqplain(pika.PlainCredentials):
    """The mechanism that pika lacks: a table of LOGIN and PASSWORD, without its length."""

    TYPE = "AMQPLAIN"
    offered = set()

    def response_for(self, start):
        Amqplain.offered = set(start.mechanisms.split())
        pairs = (("LOGIN", self.username), ("PASSWORD", self.password))
        return self.TYPE, b"".join(struct.pack(">B", len(k)) + k.encode() + b"S" + struct.pack(">I", len(v)) + v.encode() for k, v in pairs)


pika.credentials.VALID_TYPES.append(Amqplain)


class ConnectionTest(BrokerTest):
    def test_server_properties(self):
        capabilities = self.connection._impl.server_properties["capabilities"]
        for name in ("publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
                     "consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to"):
            self.assertIs(capabilities[name], True, name)
        for supported in ("publisher_confirms", "exchange_exchange_bindings", "basic_nack", "consumer_cancel_notify"):
            self.assertTrue(getattr(self.connection, supported + "_supported"), supported)

    def test_amqplain(self):
        self.connect(credentials=Amqplain("guest", "guest")).channel()
        self.assertLessEqual({b"PLAIN", b"AMQPLAIN"}, Amqplain.offered)

    def test_wrong_password(self):
        for credentials in (pika.PlainCredentials("guest", "wrong"), pika.PlainCredentials("nobody", "guest"), Amqplain("guest", "wrong")):
            with self.assertRaises((ProbableAuthenticationError, ConnectionClosedByBroker)) as caught:
                pika.BlockingConnection(parameters(credentials=credentials))
            self.assertIn("(403) ACCESS_REFUSED - Login was refused using authentication mechanism "
                          f"{credentials.TYPE if credentials.TYPE else 'PLAIN'}. For details see the broker logfile.",
                          str(caught.exception).replace("ConnectionClosedByBroker: ", "").replace("'", ""))

    def test_absent_vhost(self):
        with self.assertRaises((ProbableAccessDeniedError, ConnectionClosedByBroker)) as caught:
            pika.BlockingConnection(parameters(virtual_host="absent"))
        self.assertIn("NOT_ALLOWED - vhost absent not found", str(caught.exception))

    def test_small_frames_split_bodies(self):
        c = self.connect(frame_max=4096)
        queue = self.queue()
        body = bytes(range(256)) * 100
        c.channel().basic_publish("", queue, body)
        self.eventually(lambda: self.count(queue), 1)
        self.assertEqual(body, self.channel.basic_get(queue, auto_ack=True)[2])

    def test_idle_beyond_the_heartbeat(self):
        c = self.connect(heartbeat=1)
        channel = c.channel()
        c.process_data_events(time_limit=4)
        self.assertTrue(channel.queue_declare("", exclusive=True).method.queue.startswith("amq.gen-"))

    def test_blocked_capability(self):
        c = self.connect(blocked_connection_timeout=5)
        c.add_on_connection_blocked_callback(lambda *_: self.fail("blocked without an alarm"))
        channel = c.channel()
        channel.basic_publish("", "absent", b"x")
        self.assertTrue(channel.is_open)

    def test_many_channels(self):
        channels = [self.connection.channel() for _ in range(100)]
        self.assertEqual(list(range(2, 102)), [c.channel_number for c in channels])
        for c in channels:
            c.close()
        self.assertEqual(2, self.connection.channel().channel_number)

    def test_channel_max(self):
        c = self.connect(channel_max=3)
        for _ in range(3):
            c.channel()
        with self.assertRaises(pika.exceptions.NoFreeChannels):
            c.channel()

    def test_a_refused_channel_leaves_the_others(self):
        other = self.connection.channel()
        self.refused(404, f"NOT_FOUND - no queue '{self.name}' in vhost '/'", other.queue_declare, self.name, passive=True)
        self.queue(exclusive=True)
        self.assertTrue(self.connection.channel().is_open)

    def test_not_amqp_gets_the_protocol_header(self):
        p = parameters()
        with socket.create_connection((p.host, p.port), timeout=10) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(b"AMQP\x00\x00\x09\x01", s.recv(8))


class QueueTest(BrokerTest):
    def test_server_named(self):
        first, second = (self.channel.queue_declare("", exclusive=True).method.queue for _ in range(2))
        self.assertRegex(first, r"^amq\.gen-[A-Za-z0-9_-]{22}$")
        self.assertNotEqual(first, second)

    def test_passive(self):
        queue = self.queue()
        self.publish(queue, b"1", b"2")
        self.eventually(lambda: self.count(queue), 2)

    def test_redeclare_differs(self):
        args = {"x-message-ttl": 60000, "x-max-length": 5}
        queue = self.queue(durable=True, arguments=args)
        self.channel.queue_declare(queue, durable=True, arguments=dict(args, **{"x-unknown": 1}))
        told = f"PRECONDITION_FAILED - inequivalent arg '{{}}' for queue '{queue}' in vhost '/': {{}}"
        for wanted, changes in (
                (told.format("durable", "received 'false' but current is 'true'"), {"durable": False}),
                (told.format("auto_delete", "received 'true' but current is 'false'"), {"auto_delete": True}),
                (told.format("x-message-ttl", "received '70000' but current is '60000'"), {"arguments": dict(args, **{"x-message-ttl": 70000})}),
                (told.format("x-message-ttl", "received none but current is the value '60000' of type 'signedint'"), {"arguments": {"x-max-length": 5}}),
                (told.format("x-overflow", "received the value 'drop-head' of type 'longstr' but current is none"), {"arguments": dict(args, **{"x-overflow": "drop-head"})})):
            with self.subTest(wanted):
                self.refused(406, wanted, self.connection.channel().queue_declare, queue, **dict({"durable": True, "arguments": args}, **changes))
        self.refused(405, "RESOURCE_LOCKED - " + LOCKED.format(queue), self.connection.channel().queue_declare, queue, durable=True, exclusive=True, arguments=args)

    def test_invalid_arguments(self):
        for key, value, told in (("x-message-ttl", -1, "{value_negative,-1}"), ("x-expires", 0, "{value_zero,0}"), ("x-max-priority", 256, "{max_value_exceeded,256}"),
                                 ("x-max-length", "many", '"expected integer, got longstr"'), ("x-overflow", "spill", "invalid_overflow"),
                                 ("x-single-active-consumer", "yes", "{unacceptable_type,longstr}"), ("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined")):
            with self.subTest(key):
                self.refused(406, f"PRECONDITION_FAILED - invalid arg '{key}' for queue '{self.name}' in vhost '/': {told}",
                             self.connection.channel().queue_declare, self.name, arguments={key: value})

    def test_exclusive_is_locked_to_others(self):
        queue = self.queue(exclusive=True)
        for verb, args in (("queue_declare", {"passive": True}), ("queue_declare", {"exclusive": True}), ("queue_delete", {}), ("queue_purge", {}), ("basic_get", {}),
                           ("queue_bind", {"exchange": "amq.direct", "routing_key": "k"}), ("basic_consume", {"on_message_callback": print})):
            with self.subTest(verb):
                self.refused(405, "RESOURCE_LOCKED - " + LOCKED.format(queue), getattr(self.new_channel(), verb), queue, **args)
        other = self.connect()
        other.channel().basic_publish("", queue, b"publishing is allowed")
        other.close()
        self.eventually(lambda: self.count(queue), 1)
        self.assertEqual(["publishing is allowed"], self.bodies(queue))

    def test_exclusive_goes_with_its_connection(self):
        other = self.connect()
        other.channel().queue_declare(self.name, exclusive=True)
        other.close()
        self.refused(404, f"NOT_FOUND - no queue '{self.name}' in vhost '/'", self.channel.queue_declare, self.name, passive=True)

    def test_auto_delete(self):
        queue = self.queue(auto_delete=True)
        tags = [self.channel.basic_consume(queue, print) for _ in range(2)]
        self.channel.basic_cancel(tags[0])
        self.assertEqual(0, self.count(queue))
        self.channel.basic_cancel(tags[1])
        self.refused(404, f"NOT_FOUND - no queue '{queue}' in vhost '/'", self.channel.queue_declare, queue, passive=True)

    def test_delete(self):
        queue = self.queue()
        self.publish(queue, b"1")
        self.eventually(lambda: self.count(queue), 1)
        self.refused(406, f"PRECONDITION_FAILED - queue '{queue}' in vhost '/' not empty", self.connection.channel().queue_delete, queue, if_empty=True)
        tag = self.channel.basic_consume(queue, lambda *_: None)
        self.refused(406, f"PRECONDITION_FAILED - queue '{queue}' in vhost '/' in use", self.connection.channel().queue_delete, queue, if_unused=True)
        self.channel.basic_cancel(tag)
        self.channel.queue_delete(queue)
        self.assertEqual(0, self.channel.queue_delete(queue).method.message_count)

    def test_purge(self):
        queue = self.queue()
        self.publish(queue, b"1", b"2", b"3")
        self.channel.basic_get(queue)
        self.assertEqual(2, self.channel.queue_purge(queue).method.message_count)
        self.refused(404, f"NOT_FOUND - no queue '{queue}.absent' in vhost '/'", self.channel.queue_purge, queue + ".absent")

    def test_expires(self):
        self.queue(arguments={"x-expires": 200})

        def gone():
            try:
                return self.connection.channel().queue_declare(self.name, passive=True) is None
            except pika.exceptions.ChannelClosedByBroker as err:
                return err.reply_code == 404
        # A passive declare counts as use, so the answer waits for one whole period without any.
        self.connection.process_data_events(time_limit=1)
        self.assertTrue(gone())

    def test_reserved_names(self):
        self.refused(403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", self.connection.channel().queue_declare, "amq.mine")
        self.refused(403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", self.connection.channel().exchange_declare, "amq.mine")


class ExchangeTest(BrokerTest):
    def test_direct_fanout_topic(self):
        queue = self.queue()
        for kind, key, hits, misses in (("direct", "a.b", ["a.b"], ["a", "a.b.c", ""]), ("fanout", "", ["", "a", "x.y"], []),
                                        ("topic", "*.b.#", ["a.b", "a.b.c.d", ".b"], ["b", "a.c", "a.a.b"])):
            x = self.exchange(kind, "." + kind)
            self.channel.queue_bind(queue, x, key)
            for k in hits + misses:
                self.publish(k, k.encode(), exchange=x)
            self.eventually(lambda: self.count(queue), len(hits))
            self.assertEqual(hits, self.bodies(queue), kind)

    def test_headers(self):
        x = self.exchange("headers")
        every, some = self.queue(".all"), self.queue(".any")
        self.channel.queue_bind(every, x, arguments={"x-match": "all", "a": 1, "b": "two"})
        self.channel.queue_bind(some, x, arguments={"x-match": "any", "a": 1, "b": "two"})
        for headers in ({"a": 1, "b": "two", "c": 3}, {"a": 1}, {"b": "three"}, {"a": "1"}, {}):
            self.publish("", str(len(headers)).encode(), exchange=x, headers=headers)
        self.eventually(lambda: self.count(some), 2)
        self.assertEqual(["3"], self.bodies(every))
        self.assertEqual(["3", "1"], self.bodies(some))
        self.refused(406, 'PRECONDITION_FAILED - Invalid x-match field value <<"most">>; expected all, any, all-with-x, or any-with-x',
                     self.channel.queue_bind, every, x, arguments={"x-match": "most"})

    def test_exchange_to_exchange(self):
        first, second, queue = self.exchange("topic", ".1"), self.exchange("fanout", ".2"), self.queue()
        self.channel.exchange_bind(second, first, "a.#")
        self.channel.queue_bind(queue, second)
        self.publish("a.b", b"through", exchange=first)
        self.publish("b.b", b"not", exchange=first)
        self.assertEqual(["through"], self.bodies(queue))
        self.channel.exchange_unbind(second, first, "a.#")
        self.publish("a.b", b"not", exchange=first)
        self.assertEqual([], self.bodies(queue))

    def test_two_bindings_deliver_once(self):
        x, queue = self.exchange("topic"), self.queue()
        for key in ("#", "a.*", "*.b"):
            self.channel.queue_bind(queue, x, key)
        self.publish("a.b", b"once", exchange=x)
        self.assertEqual(["once"], self.bodies(queue))

    def test_alternate_exchange(self):
        spare, queue = self.exchange("fanout", ".spare"), self.queue()
        x = self.exchange("direct", arguments={"alternate-exchange": spare})
        self.channel.queue_bind(queue, spare)
        self.publish("nobody", b"caught", exchange=x)
        self.assertEqual(["caught"], self.bodies(queue))

    def test_internal(self):
        x = self.exchange("fanout", internal=True)
        self.channel.confirm_delivery()
        self.refused(403, f"ACCESS_REFUSED - cannot publish to internal exchange '{x}' in vhost '/'", self.publish, "", b"no", exchange=x)

    def test_redeclare_differs(self):
        x = self.exchange("direct", durable=True)
        told = f"PRECONDITION_FAILED - inequivalent arg '{{}}' for exchange '{x}' in vhost '/': received '{{}}' but current is '{{}}'"
        for field, got, current, args in (("type", "fanout", "direct", {"exchange_type": "fanout", "durable": True}), ("durable", "false", "true", {}),
                                          ("auto_delete", "true", "false", {"durable": True, "auto_delete": True}),
                                          ("internal", "true", "false", {"durable": True, "internal": True})):
            with self.subTest(field):
                self.refused(406, told.format(field, got, current), self.connection.channel().exchange_declare, x, **args)

    def test_unknown_type(self):
        """503 and the connection up to RabbitMQ 3, 406 and the channel since 4."""
        with self.assertRaises((ConnectionClosedByBroker, ChannelClosedByBroker)) as caught:
            self.connect().channel().exchange_declare(self.name, "no-such-type")
        self.assertIn((type(caught.exception), caught.exception.reply_code, caught.exception.reply_text),
                      ((ConnectionClosedByBroker, 503, "COMMAND_INVALID - unknown exchange type 'no-such-type'"),
                       (ChannelClosedByBroker, 406, "PRECONDITION_FAILED - unknown exchange type 'no-such-type'")))

    def test_delete(self):
        x, queue = self.exchange("direct"), self.queue()
        self.channel.queue_bind(queue, x, "k")
        self.refused(406, f"PRECONDITION_FAILED - exchange '{x}' in vhost '/' in use", self.connection.channel().exchange_delete, x, if_unused=True)
        self.channel.exchange_delete(x)
        self.channel.exchange_delete(x)
        self.refused(403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", self.channel.exchange_delete, "amq.direct")

    def test_auto_delete(self):
        x, queue = self.exchange("direct", auto_delete=True), self.queue()
        self.channel.queue_bind(queue, x, "k")
        self.channel.queue_unbind(queue, x, "k")
        self.refused(404, f"NOT_FOUND - no exchange '{x}' in vhost '/'", self.channel.exchange_declare, x, passive=True)

    def test_default_exchange_is_not_bound(self):
        self.refused(403, "ACCESS_REFUSED - operation not permitted on the default exchange", self.channel.queue_bind, self.queue(), "", "k")

    def test_bind_absent(self):
        queue = self.queue()
        for args, told in (((queue + ".absent", "amq.direct", "k"), f"no queue '{queue}.absent' in vhost '/'"), ((queue, queue + ".absent", "k"), f"no exchange '{queue}.absent' in vhost '/'")):
            self.refused(404, "NOT_FOUND - " + told, self.connection.channel().queue_bind, *args)
        self.channel.queue_unbind(queue, "amq.direct", "never bound")
