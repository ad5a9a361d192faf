from __future__ import annotations

from django.contrib import admin
from django.urls import path

from console import presets, reports, trials, views
from console.why import why_page

app_name = "console"
urlpatterns = [
    path(
        "snapshots/<int:pk>/difference/",
        admin.site.admin_view(reports.difference_page),
        name="difference",
    ),
    path(
        "policies/<int:pk>/candidate/difference/",
        admin.site.admin_view(reports.candidate_page),
        name="candidate-difference",
    ),
    path("snapshots/<int:pk>/allow/", admin.site.admin_view(reports.effects_page), name="effects"),
    path("sources/<int:pk>/worth/", admin.site.admin_view(reports.worth_page), name="worth"),
    path("why/", admin.site.admin_view(why_page), name="why"),
    path("presets/", admin.site.admin_view(presets.presets_page), name="presets"),
    path("presets/<slug:key>/", admin.site.admin_view(presets.preset_page), name="preset"),
    path("presets/<slug:key>/try/", admin.site.admin_view(presets.try_preset), name="try-preset"),
    path("sources/try/", admin.site.admin_view(trials.try_new), name="try-new"),
    path("sources/<int:pk>/try/", admin.site.admin_view(trials.try_held), name="try-held"),
    path("sample/add/", admin.site.admin_view(views.make_sample), name="make-sample"),
    path("sample/remove/", admin.site.admin_view(views.drop_sample), name="drop-sample"),
]
