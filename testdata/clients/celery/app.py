"""The application that both the workers and the tests load."""
import os
import time

from celery import Celery

app = Celery("suite", broker=os.environ["AMQP_URL"], backend=os.environ["CELERY_BACKEND"])
app.conf.update(
    task_default_queue=os.environ["CELERY_QUEUE"],
    task_create_missing_queues=True,
    broker_connection_retry_on_startup=False,
    worker_hijack_root_logger=False,
    result_chord_retry_interval=0.2,
    result_expires=600,
)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def third_time(self):
    """Fails twice, and is sent again with a countdown each time."""
    if self.request.retries < 2:
        raise self.retry(countdown=0.3)
    return self.request.retries


@app.task(bind=True, max_retries=1)
def never(self):
    raise self.retry(countdown=0.1, exc=ValueError("not today"))


@app.task
def clock():
    return time.time()


@app.task(bind=True, ignore_result=True)
def mark(self, folder):
    """Takes a moment and leaves a file that says so."""
    time.sleep(0.2)
    with open(os.path.join(folder, self.request.id), "x", encoding="ascii"):
        pass
