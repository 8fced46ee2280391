"""external.py PORT NAME: a message there and back, logged in by the certificate NAME.pem."""

import ssl
import sys

import pika

port, name = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile="ca.pem")
context.load_cert_chain(name + ".pem", name + ".key")
connection = pika.BlockingConnection(
    pika.ConnectionParameters("localhost", port, ssl_options=pika.SSLOptions(context, "localhost"),
                              credentials=pika.credentials.ExternalCredentials()))
channel = connection.channel()
queue = channel.queue_declare("", exclusive=True).method.queue
body = bytes(range(256)) * 1000
channel.confirm_delivery()
channel.basic_publish("", queue, body, mandatory=True)
_, _, got = channel.basic_get(queue, auto_ack=True)
connection.close()
sys.exit(0 if got == body else "%d bytes came, or others" % len(got or b""))
