"""Questions that only the enforcer of a machine can answer: it alone may ask that kernel."""

from __future__ import annotations

from django.db import models
from django.db.models import Q, TextChoices

from devices.models import Gateway


class Question(TextChoices):
    """What is asked."""

    PLAN = "plan", "what would be changed"
    CHECK = "check", "whether it is enforced"


class Inquiry(models.Model):
    """One question, left as a row; the enforcer writes its answer beside it."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="inquiries")
    question = models.CharField(max_length=8, choices=Question.choices)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=150)
    options = models.JSONField(default=dict)
    answered_at = models.DateTimeField(null=True)
    answer = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(question__in=Question.values), name="inquiry_question_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.question} of {self.gateway.device}"
