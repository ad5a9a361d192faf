"""What workers do with kernels. `work` runs in the enforcer of a machine, and nowhere else."""

from __future__ import annotations

from typing import Any

from celery import current_app, shared_task
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import ChannelError

from enforcement import services
from policies.nudging import send_on_commit

# By the clock of the sender, from which that of another machine may differ. Nudges do not heap up:
# none is sent where one waits.
WORK_EXPIRES = 3600.0


@shared_task
def send_due(**_newer: object) -> int:
    """Nudge the enforcer of each machine that has something to do; return how many were nudged."""
    nodes = services.due_nodes(now=timezone.now())
    if not nodes:
        return 0
    sent = 0
    with current_app.connection_for_write() as connection:
        producer = current_app.amqp.Producer(connection)
        for node in nodes:
            queue = queue_of(node)
            if not _holds_nudge(connection, queue):
                work.apply_async(
                    kwargs={"node": node}, queue=queue, expires=WORK_EXPIRES, producer=producer
                )
                sent += 1
    return sent


@shared_task
def work(*, node: str, **_newer: object) -> str:
    """Do what is due on this machine: answer, enforce, read back; return what was done."""
    return services.work(node=node, clock=timezone.now)


@shared_task
def review(**_newer: object) -> None:
    """Review the alarms of kernels; any worker does it, for the enforcer may be away."""
    services.review_kernel_alarms(now=timezone.now())


@shared_task
def prune(**_newer: object) -> int:
    """Delete old applications and questions; return how many."""
    return services.prune(now=timezone.now())


def nudge(node: str) -> None:
    """Send the enforcer of a machine to work once the transaction at hand is committed."""
    send_on_commit(work, kwargs={"node": node}, queue=queue_of(node), expires=WORK_EXPIRES)


def queue_of(node: str) -> str:
    """Return the name of the queue that the enforcer of a machine listens on."""
    return f"enforce.{node}"


def _holds_nudge(connection: Connection, queue: str) -> bool:
    """Tell whether a nudge waits there: of a machine that is switched off nobody takes them."""
    channel: Any = connection.channel()  # one that is refused is closed
    try:
        return bool(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        return False  # no such queue yet
    finally:
        channel.close()
