"""The API's addresses under /api/v1/."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.routers import SimpleRouter

from accounts.api import SessionViewSet, TokenViewSet
from devices.api.groups import DeviceGroupViewSet
from devices.api.views import PullViewSet
from devices.api.why import WhyView
from enforcement.api.devices import GatewayDeviceViewSet
from enforcement.api.views import ApplicationViewSet, InquiryViewSet, ReleaseViewSet
from fleet.api.entries import EntryViewSet
from fleet.api.group_settings import GroupSettingsViewSet
from fleet.api.links import LinkViewSet
from fleet.api.publications import PolicyZoneViewSet, PublicationViewSet
from fleet.api.rollouts import RolloutViewSet
from logs.api import views as logs
from logs.api.devices import LoggedDeviceViewSet
from logs.api.saved import SavedReportViewSet
from policies.api import views as policies
from policies.api.alarm_targets import NoticeViewSet, TargetViewSet
from policies.api.alarms import AlarmViewSet
from policies.api.changes import ChangeViewSet
from policies.api.history import SnapshotViewSet
from policies.api.presets import PresetViewSet
from policies.api.records.views import RecordViewSet
from tscm_site.errors import api_not_found


class SiteDeviceViewSet(LoggedDeviceViewSet, GatewayDeviceViewSet):
    """The firewalls we serve, and the Linux gateways among them."""


router = SimpleRouter()
router.register("devices", SiteDeviceViewSet)
router.register("device-groups", DeviceGroupViewSet)
router.register("inquiries", InquiryViewSet)
router.register("applications", ApplicationViewSet)
router.register("releases", ReleaseViewSet)
router.register("links", LinkViewSet)
router.register("policies", policies.PolicyViewSet)
router.register("sources", policies.SourceViewSet)
router.register(r"sources/(?P<source_id>[0-9]{1,18})/records", RecordViewSet)
router.register("snapshots", SnapshotViewSet)
router.register("presets", PresetViewSet, basename="preset")
router.register("retrievals", policies.RetrievalViewSet)
router.register("alarms", AlarmViewSet)
router.register("alarm-targets", TargetViewSet)
router.register("alarm-notices", NoticeViewSet)
router.register("pulls", PullViewSet)
router.register("changes", ChangeViewSet)
router.register("protected-addresses", policies.ProtectedAddressViewSet)
router.register("logs/ledger", logs.LedgerViewSet, basename="ledger")
router.register("logs/batches", logs.BatchViewSet)
router.register("logs/deliveries", logs.DeliveryViewSet)
router.register("logs/senders", logs.SenderViewSet)
router.register("logs/receivers", logs.ReceiverViewSet)
router.register("logs/forwards", logs.ForwardViewSet)
router.register("logs/shapes", logs.LineShapeViewSet)
router.register("saved-reports", SavedReportViewSet)
router.register("device-entries", EntryViewSet)
router.register("group-settings", GroupSettingsViewSet)
router.register("publications", PublicationViewSet)
router.register("policy-zones", PolicyZoneViewSet)
router.register("rollouts", RolloutViewSet)
router.register("tokens", TokenViewSet)
router.register("sessions", SessionViewSet)

# Whoever may sign in may read the schema; it tells nothing of the site.
schema = SpectacularAPIView.as_view(
    permission_classes=[IsAuthenticated], renderer_classes=[JSONRenderer], api_version="v1"
)
page = SpectacularSwaggerSplitView.as_view(
    url_name="api-schema",
    authentication_classes=[],
    permission_classes=[],
    template_name="console/api_docs.html",
)

urlpatterns = [
    path("v1/", include(router.urls)),
    path("v1/", include("policies.api.report_urls")),
    path("v1/", include("logs.api.hits_urls")),
    path("v1/why/", WhyView.as_view(), name="why"),
    path("v1/schema/", schema, name="api-schema"),
    path("v1/docs/", login_required(page), name="api-docs"),
    # Last: also keeps Django from sending a POST without its final slash elsewhere as a GET.
    re_path("", api_not_found),
]
