"""The addresses of the reports of connections, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from logs.api import hits, impact, replay

urlpatterns = [
    path("policies/<int:pk>/replay/", replay.ReplayView.as_view(), name="policy-replay"),
    path("hits/timeline/", hits.TimelineView.as_view(), name="hits-timeline"),
    path("hits/summary/", hits.SummaryView.as_view(), name="hits-summary"),
    path("hits/connections/", hits.ConnectionsView.as_view(), name="hits-connections"),
    path("hits/sources/<int:pk>/impact/", impact.SourceImpactView.as_view()),
    path("hits/snapshots/<int:pk>/impact/", impact.AllowImpactView.as_view()),
    path("hits/lines/<str:ref>/", hits.LineView.as_view(), name="hits-line"),
]
