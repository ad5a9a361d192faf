from __future__ import annotations

from django.contrib import admin
from django.urls import path

from console import fleet, hits, presets, replay, reports, trials, views
from console.first_run import views as first_run
from console.story.views import part_page
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
    path("policies/<int:pk>/replay/", admin.site.admin_view(replay.replay_page), name="replay"),
    path("snapshots/<int:pk>/allow/", admin.site.admin_view(reports.effects_page), name="effects"),
    path("sources/<int:pk>/worth/", admin.site.admin_view(reports.worth_page), name="worth"),
    path("reports/", admin.site.admin_view(hits.report_page), name="report"),
    path(
        "reports/connections/",
        admin.site.admin_view(hits.connections_page),
        name="report-connections",
    ),
    path("reports/lines/<str:ref>/", admin.site.admin_view(hits.line_page), name="report-line"),
    path("why/", admin.site.admin_view(why_page), name="why"),
    path("presets/", admin.site.admin_view(presets.presets_page), name="presets"),
    path("presets/<slug:key>/", admin.site.admin_view(presets.preset_page), name="preset"),
    path("presets/<slug:key>/try/", admin.site.admin_view(presets.try_preset), name="try-preset"),
    path("sources/try/", admin.site.admin_view(trials.try_new), name="try-new"),
    path("sources/<int:pk>/try/", admin.site.admin_view(trials.try_held), name="try-held"),
    path("parts/<slug:name>/<int:pk>/", admin.site.admin_view(part_page), name="part"),
    path("overview/now/", admin.site.admin_view(views.overview_now), name="overview-now"),
    path("overview/hits/", admin.site.admin_view(views.overview_hits), name="overview-hits"),
    path("first-run/", admin.site.admin_view(first_run.first_run_page), name="first-run"),
    path(
        "first-run/<slug:kind>/",
        admin.site.admin_view(first_run.first_device_page),
        name="first-device",
    ),
    path("set-up/<int:pk>/", admin.site.admin_view(first_run.set_up_page), name="set-up"),
    path("set-up/<int:pk>/now/", admin.site.admin_view(first_run.set_up_now), name="set-up-now"),
    path("fleet-overview/", admin.site.admin_view(fleet.fleet_page), name="fleet"),
    path("fleet-overview/<slug:form>/", admin.site.admin_view(fleet.fleet_file), name="fleet-file"),
    path("sample/add/", admin.site.admin_view(views.make_sample), name="make-sample"),
    path("sample/remove/", admin.site.admin_view(views.drop_sample), name="drop-sample"),
]
