from __future__ import annotations

from django.contrib import admin
from django.urls import path

from console import views

app_name = "console"
urlpatterns = [
    path("sample/add/", admin.site.admin_view(views.make_sample), name="make-sample"),
    path("sample/remove/", admin.site.admin_view(views.drop_sample), name="drop-sample"),
]
