from __future__ import annotations

from django.contrib import admin
from django.urls import path

from console import views
from console.why import why_page

app_name = "console"
urlpatterns = [
    path("why/", admin.site.admin_view(why_page), name="why"),
    path("sample/add/", admin.site.admin_view(views.make_sample), name="make-sample"),
    path("sample/remove/", admin.site.admin_view(views.drop_sample), name="drop-sample"),
]
