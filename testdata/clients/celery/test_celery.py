"""What a Celery installation asks of its broker in an ordinary day."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = uuid.uuid4().hex[:8]


class Worker:
    """A worker process and an app that speaks to it."""

    def __init__(self, kind, backend, *options):
        self.queue, self.name = f"celery-{kind}-{RUN}", f"{kind}-{RUN}@suite"
        env = dict(os.environ, CELERY_BACKEND=backend, CELERY_QUEUE=self.queue, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")
        with open(f"worker-{kind}.log", "wb") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "celery", "-A", "app", "worker", "-c", "2", "-n", self.name, "-l", "INFO", *options],
                                            env=env, stdout=log, stderr=subprocess.STDOUT)
        os.environ.update(CELERY_BACKEND=backend, CELERY_QUEUE=self.queue)
        sys.modules.pop("app", None)
        sys.path.insert(0, HERE)
        import app
        self.tasks, self.app = app, app.app

    def inspect(self, timeout=5):
        return self.app.control.inspect([self.name], timeout=timeout, limit=1)

    def wait_until_up(self):
        end = time.monotonic() + 40
        while self.inspect(1).ping() != {self.name: {"ok": "pong"}}:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"no worker {self.name} came up")

    def stop(self):
        """Ask for the warm shutdown and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            if self.process.poll() is None:
                self.process.kill()

    def stop_cleanly(self):
        status = self.stop()
        if status:
            raise AssertionError(f"worker {self.name} ended with {status}")

    def scrap(self):
        """Delete the queue; returns how many tasks were left in it."""
        with self.app.connection_for_write() as c:
            channel = c.channel()
            left = channel.queue_delete(self.queue)
            channel.exchange_delete(self.queue)
            return left


class RpcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = Worker("rpc", "rpc://", "-E", "--without-mingle")
        cls.addClassCleanup(cls.worker.scrap)
        cls.addClassCleanup(cls.worker.stop_cleanly)
        cls.worker.wait_until_up()

    def test_ten_thousand_tasks_with_results(self):
        results = [self.worker.tasks.add.delay(i, i) for i in range(10000)]
        self.assertEqual([2 * i for i in range(10000)], [r.get(timeout=120) for r in results])

    def test_retry_with_countdown(self):
        self.assertEqual(2, self.worker.tasks.third_time.delay().get(timeout=20))
        with self.assertRaisesRegex(ValueError, "not today"):
            self.worker.tasks.never.delay().get(timeout=20)

    def test_eta(self):
        began = time.time()
        later = self.worker.tasks.clock.apply_async(countdown=2).get(timeout=20)
        sooner = self.worker.tasks.clock.apply_async(countdown=0.1).get(timeout=20)
        self.assertGreaterEqual(later - began, 2)
        self.assertGreaterEqual(sooner, later)

    def test_expired_tasks_are_revoked(self):
        from celery.exceptions import TaskRevokedError
        with self.assertRaises(TaskRevokedError):
            self.worker.tasks.add.apply_async((1, 1), countdown=1, expires=0.1).get(timeout=20)

    def test_revoke(self):
        from celery.exceptions import TaskRevokedError
        result = self.worker.tasks.add.apply_async((1, 1), countdown=2)
        result.revoke()
        self.until(lambda: result.id in (self.worker.inspect().revoked() or {}).get(self.worker.name, []))
        with self.assertRaises(TaskRevokedError):
            result.get(timeout=20)

    def test_inspect_and_control(self):
        name = self.worker.name
        self.assertEqual([self.worker.queue], [q["name"] for q in self.worker.inspect().active_queues()[name]])
        self.assertIn("app.add", self.worker.inspect().registered()[name])
        control, extra = self.worker.app.control, self.worker.queue + ".extra"
        control.add_consumer(extra, destination=[name], reply=True, timeout=5)
        self.assertEqual(5, self.worker.tasks.add.apply_async((2, 3), queue=extra).get(timeout=20))
        control.cancel_consumer(extra, destination=[name], reply=True, timeout=5)
        self.assertEqual([self.worker.queue], [q["name"] for q in self.worker.inspect().active_queues()[name]])
        with self.worker.app.connection_for_write() as c:
            c.channel().queue_delete(extra)
            c.channel().exchange_delete(extra)

    def test_events(self):
        """Events go by a topic exchange to a queue that the receiver makes."""
        seen = {}
        with self.worker.app.connection_for_read() as c:
            receiver = self.worker.app.events.Receiver(c, handlers={"*": lambda event: seen.setdefault(event["type"], event)})
            end = time.monotonic() + 20
            for _ in receiver.itercapture(limit=None, timeout=None, wakeup=False):
                if not seen:
                    continue
                if "sent" not in seen:
                    seen["sent"] = self.worker.tasks.add.delay(1, 2)
                if {"task-received", "task-started", "task-succeeded"} <= set(seen) or time.monotonic() > end:
                    break
        self.assertEqual("3", seen["task-succeeded"]["result"])

    def until(self, condition):
        end = time.monotonic() + 15
        while not condition():
            self.assertLess(time.monotonic(), end, "nothing came of it")


class StoredTest(unittest.TestCase):
    """Canvas: chains, groups and chords, with results in a folder."""

    @classmethod
    def setUpClass(cls):
        cls.worker = Worker("stored", "file://" + os.environ["CELERY_FOLDER"], "--without-gossip")
        cls.addClassCleanup(cls.worker.scrap)
        cls.addClassCleanup(cls.worker.stop_cleanly)
        cls.worker.wait_until_up()

    def test_chain_group_chord(self):
        from celery import chain, chord, group
        add, total = self.worker.tasks.add, self.worker.tasks.total
        self.assertEqual(10, chain(add.s(1, 2), add.s(3), add.s(4))().get(timeout=20))
        self.assertEqual([0, 2, 4], group([add.s(i, i) for i in range(3)])().get(timeout=20))
        self.assertEqual(90, chord([add.s(i, i) for i in range(10)])(total.s()).get(timeout=30))


class ShutdownTest(unittest.TestCase):
    def test_warm_shutdown_loses_nothing(self):
        """With threads: Celery's own process pool sometimes hangs when it is stopped amid work."""
        folder = tempfile.mkdtemp(dir=os.environ["CELERY_FOLDER"])
        worker = Worker("warm", "rpc://", "--pool", "threads", "--without-gossip", "--without-mingle")
        worker.wait_until_up()
        sent = {worker.tasks.mark.delay(folder).id for _ in range(40)}
        end = time.monotonic() + 20
        while not os.listdir(folder):
            self.assertLess(time.monotonic(), end, "no task ran")
        self.assertEqual(0, worker.stop())
        done = set(os.listdir(folder))
        self.assertLessEqual(done, sent)
        self.assertEqual(40, len(done) + worker.scrap(), "each task is done or back in the queue, and none is both")
