from __future__ import annotations

from django.contrib import admin
from django.urls import path

from console import presets, trials, views

app_name = "console"
urlpatterns = [
    path("presets/", admin.site.admin_view(presets.presets_page), name="presets"),
    path("presets/<slug:key>/", admin.site.admin_view(presets.preset_page), name="preset"),
    path("presets/<slug:key>/try/", admin.site.admin_view(presets.try_preset), name="try-preset"),
    path("sources/try/", admin.site.admin_view(trials.try_new), name="try-new"),
    path("sources/<int:pk>/try/", admin.site.admin_view(trials.try_held), name="try-held"),
    path("sample/add/", admin.site.admin_view(views.make_sample), name="make-sample"),
    path("sample/remove/", admin.site.admin_view(views.drop_sample), name="drop-sample"),
]
