from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("why/", RedirectView.as_view(pattern_name="console:why", query_string=True)),
    path("admin/", include("accounts.urls")),  # its sign-in comes before the console's own
    path("admin/", include("console.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("tscm_site.api")),
]

handler400 = "tscm_site.errors.bad_request"
handler403 = "tscm_site.errors.permission_denied"
handler404 = "tscm_site.errors.page_not_found"
handler500 = "tscm_site.errors.server_error"
