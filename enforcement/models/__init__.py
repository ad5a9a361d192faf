"""The rows of enforcing; what is known of each kernel is `devices.models.Gateway`."""

from __future__ import annotations

from enforcement.models.application import Application, Outcome, Trigger
from enforcement.models.inquiry import Inquiry, Question

__all__ = ["Application", "Inquiry", "Outcome", "Question", "Trigger"]
