"""Holds what rabbitmqadmin prints against transcript.txt, which is what it printed for RabbitMQ.

    transcript.py check RABBITMQADMIN OUT     writes lines "verdict COMMAND|" to OUT
    transcript.py record RABBITMQADMIN OUT    writes the transcript as this broker tells it to OUT

The broker is that of AMQP_URL and HTTP_URL. A line of the transcript that begins with "$ " is
a command line for rabbitmqadmin, in the vhost radmin unless it says otherwise ("-V all": in none);
with "! " something that only this program can do (the do_ methods). CONNECTION is the name of its
connection. What follows is what is printed. Words before a colon:

    only X:     of the lines printed those that contain X
    shape:      values as "..."; only which there are, and that they are not empty
    status:     only the exit status, where the words are the broker's own
"""
import json
import os
import re
import subprocess
import sys
import time
from urllib.parse import quote

import pika

PATIENCE = 10  # seconds; RabbitMQ's counts and lists of connections are late
FILTERS = ("only", "shape", "status")
LATE = ("queues", "connections", "channels", "consumers", "overview", "close")


class Talk:
    """Carries out commands, one after the other."""

    def __init__(self, program):
        self.program = [sys.executable, program, "-U", os.environ["HTTP_URL"]]
        self.connection = None
        self.name = None

    def run(self, command):
        """What a command of the transcript prints."""
        kind, line = command[0], command[2:]
        words, colon, rest = line.partition(": ")
        filters = words.split() if colon and words.split()[0] in FILTERS else []
        line = rest if filters else line
        if kind == "!":
            verb, *args = line.split()
            out = getattr(self, "do_" + verb)(*args)
        else:
            out = self.rabbitmqadmin(line)
        return filtered(self.steady(out), filters)

    def rabbitmqadmin(self, line):
        args = [self.name if a == "CONNECTION" else a.replace("=CONNECTION", "=%s" % self.name) for a in line.split()]
        data = ""
        if "<" in args:
            at = args.index("<")
            args, data = args[:at], args[at + 1]
        if args[:2] == ["-V", "all"]:
            args = args[2:]
        elif "-V" not in args:
            args = ["-V", "radmin"] + args
        done = subprocess.run(self.program + args, input=data, capture_output=True, text=True, timeout=60, check=False)
        err = done.stderr
        if "Traceback" in err:
            err = err.strip().splitlines()[-1] + "\n"
        return done.stdout + err + ("exit status %d\n" % done.returncode if done.returncode else "")

    def steady(self, out):
        """What differs from run to run, replaced by what it is."""
        if self.name:
            out = out.replace(self.name, "CONNECTION").replace(quote(self.name, ""), "CONNECTION")
        out = re.sub(r"(%2A)~[A-Za-z0-9_-]{6}", r"\1~......", out)  # a hash of arguments
        return "\n".join(line.rstrip() for line in out.splitlines() if line.strip()) + "\n"

    def do_connect(self):
        """Connects to the vhost, with a consumer on the queue orders."""
        self.connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"].rstrip("/") + "/radmin"))
        socket = self.connection._impl._transport._sock  # pika has no other way to tell
        self.name = "%s:%d -> %s:%d" % (*socket.getsockname()[:2], *socket.getpeername()[:2])
        channel = self.connection.channel()
        channel.basic_qos(prefetch_count=7)
        channel.basic_consume("orders", lambda *_: None, consumer_tag="reader")
        return ""

    def do_connection(self):
        """What the broker has said to the connection that it closed."""
        end = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < end:
                self.connection.process_data_events(time_limit=1)
        except pika.exceptions.ConnectionClosedByBroker as e:
            return "%d %s" % (e.reply_code, e.reply_text)
        return "still open"

    def do_file(self, path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    def do_definitions(self, path):
        """A definitions file, a line a thing, without what RabbitMQ 4 has added or left out."""
        with open(path, encoding="utf-8") as f:
            file = json.load(f)
        lines = []
        for kind, things in sorted(file.items()):
            for thing in things if isinstance(things, list) else []:
                if kind == "vhosts":
                    thing = {"name": thing["name"]}
                if kind == "queues":
                    thing.pop("type", None)
                if "vhosts" not in file:
                    thing.pop("vhost", None)
                lines.append("%s %s" % (kind, json.dumps(thing, sort_keys=True)))
        return re.sub(r'("password_hash": )"[^"]+"', r'\1"..."', "\n".join(sorted(lines)))


def filtered(out, filters):
    while filters:
        name = filters.pop(0)
        if name == "only":
            word = filters.pop(0)
            out = "".join(line for line in out.splitlines(True) if word in line)
        elif name == "shape":
            out = re.sub(r'="[^"]+"', '="..."', out)
        elif name == "status":
            out = "".join(line for line in out.splitlines(True) if line.startswith("exit status"))
    return out


def read_transcript(path):
    """Yields (lines that are notes, command, what it printed)."""
    notes, command, out = [], None, []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if command and (line.startswith(("$ ", "! ", "#")) or not line.strip()):
                yield notes, command, "".join(out)
                notes, command, out = [], None, []
            if line.startswith("#") or not line.strip():
                notes.append(line)
            elif line.startswith(("$ ", "! ")):
                command = line.rstrip("\n")
            else:
                out.append(line)
    if command:
        yield notes, command, "".join(out)


def check(talk, transcript, out):
    """Runs each command until it prints what it should, or not for long enough."""
    bad = 0
    for _, command, want in transcript:
        end = time.monotonic() + PATIENCE
        while True:
            got = talk.run(command)
            if got.strip() == want.strip() or time.monotonic() > end or not set(LATE) & set(command.split()):
                break
            time.sleep(0.3)
        good = got.strip() == want.strip()
        bad += not good
        print("passed" if good else "failed", command + "|", file=out)
        if not good:
            print("%s\n--- RabbitMQ:\n%s--- here:\n%s" % (command, want, got))
    return bad


def record(talk, transcript, out):
    for notes, command, _ in transcript:
        if set(LATE) & set(command.split()):
            time.sleep(8)
        out.write("".join(notes) + command + "\n" + talk.run(command).lstrip("\n"))


if __name__ == "__main__":
    verb, program, target = sys.argv[1:]
    text = list(read_transcript(os.path.join(os.path.dirname(__file__), "transcript.txt")))
    with open(target, "w", encoding="utf-8") as f:
        sys.exit(bool({"check": check, "record": record}[verb](Talk(program), text, f)))
