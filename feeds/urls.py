from __future__ import annotations

from django.urls import re_path

from devices.kinds.rules import DEVICE_ID
from feeds import views

urlpatterns = [
    # \Z, not $: that one would let a newline follow.
    re_path(
        rf"^(?P<device_id>{DEVICE_ID.pattern})/(?P<file>threatstop-(?:block|allow)\.txt(?:\.md5)?)\Z",
        views.feed,
    ),
    # Django's own 404 is a page, and with DEBUG on it tells all there is.
    re_path("", views.nothing),
]
