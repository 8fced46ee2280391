"""The register of cases, and the steps that they are written in."""

ALL = []


class Case:
    """A titled conversation; bare ones do their own handshake."""

    def __init__(self, title, run, bare):
        self.title, self.run, self.bare = title, run, bare


def case(title, *steps):
    """A case made of steps on one connection with channel 1 open."""
    def run(t):
        for step in steps:
            if t.closed:
                return
            step(t)
    ALL.append(Case(title, run, False))


def custom(title, bare=False):
    """A case written as a function of its Talk."""
    def register(run):
        ALL.append(Case(title, run, bare))
        return run
    return register


def m(name, ch=1, **args):
    return lambda t: t.ask(ch, name, **args)


def p(key, body="", ch=1, **args):
    return lambda t: t.publish(ch, key, body, **args)


def opens(*channels):
    return lambda t: t.channel(*channels)


def wait(silence=0.25):
    return lambda t: t.drain(silence)


def declare(queue, ch=1, **args):
    return m("queue.declare", ch=ch, queue=queue, **args)


def exchange(name, kind="direct", ch=1, **args):
    return m("exchange.declare", ch=ch, exchange=name, type=kind, **args)


def bind(queue, source, key="", ch=1, **args):
    return m("queue.bind", ch=ch, queue=queue, exchange=source, routing_key=key, **args)


def consume(queue, tag, ch=1, **args):
    return m("basic.consume", ch=ch, queue=queue, consumer_tag=tag, **args)


def get(queue, ch=1, **args):
    return m("basic.get", ch=ch, queue=queue, **args)
