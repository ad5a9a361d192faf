"""The writes of logs: keyword-only verbs."""

from __future__ import annotations

from logs.reports.places import closed_batch, is_kernel, log_dir, place_of
from logs.services.alarms import review_log_alarms
from logs.services.due import due_batches, due_spools, next_batch, spools_to_send
from logs.services.forwards import (
    ForwardReport,
    WantedForward,
    record_forwards,
    wanted_forwards,
)
from logs.services.known import known_senders
from logs.services.prune import prune
from logs.services.receivers import ReceiverRefused, forget_receiver
from logs.services.record import record_report, record_spools
from logs.services.room import Made, free_bytes, kept_bytes, make_room
from logs.services.rotate import ask_rotation, rotations_asked
from logs.services.rotate_here import rotate_here
from logs.services.senders import SenderRefused, adopt_sender, ignore_sender
from logs.services.ship import (
    Shipped,
    resume_uploads,
    retry_uploads,
    ship_batch,
    ship_due,
    ship_spool,
)
from logs.services.uploader import uploader_of

__all__ = [
    "ForwardReport",
    "Made",
    "ReceiverRefused",
    "SenderRefused",
    "Shipped",
    "WantedForward",
    "adopt_sender",
    "ask_rotation",
    "closed_batch",
    "due_batches",
    "due_spools",
    "forget_receiver",
    "free_bytes",
    "ignore_sender",
    "is_kernel",
    "kept_bytes",
    "known_senders",
    "log_dir",
    "make_room",
    "next_batch",
    "place_of",
    "prune",
    "record_forwards",
    "record_report",
    "record_spools",
    "resume_uploads",
    "retry_uploads",
    "review_log_alarms",
    "rotate_here",
    "rotations_asked",
    "ship_batch",
    "ship_due",
    "ship_spool",
    "spools_to_send",
    "uploader_of",
    "wanted_forwards",
]
