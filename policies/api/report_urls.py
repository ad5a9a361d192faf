"""The addresses of the reports, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from policies.api import reports

urlpatterns = [
    path("snapshots/<int:pk>/difference/", reports.SnapshotDifferenceView.as_view()),
    path(
        "snapshots/<int:pk>/difference/text/",
        reports.SnapshotDifferenceTextView.as_view(),
        name="snapshot-difference-text",
    ),
    path("snapshots/<int:pk>/allow-effects/", reports.AllowEffectsView.as_view()),
    path("policies/<int:pk>/candidate/difference/", reports.CandidateDifferenceView.as_view()),
    path(
        "policies/<int:pk>/candidate/difference/text/",
        reports.CandidateDifferenceTextView.as_view(),
        name="candidate-difference-text",
    ),
    path("sources/<int:pk>/worth/", reports.WorthView.as_view()),
]
