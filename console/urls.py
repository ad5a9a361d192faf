from __future__ import annotations

from django.contrib import admin
from django.urls import path

from console import reports, views
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
    path("sample/add/", admin.site.admin_view(views.make_sample), name="make-sample"),
    path("sample/remove/", admin.site.admin_view(views.drop_sample), name="drop-sample"),
]
