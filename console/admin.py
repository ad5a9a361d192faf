"""Pages of other apps that are more here than each app knows of, and Django's in our look."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin, UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from devices.models import Device
from enforcement.admin.device import GatewayDeviceAdmin
from logs.admin.alarm import LogAlarmAdmin
from logs.admin.device import LoggedDeviceAdmin
from policies.models import Alarm

# Importing them registered Django's own pages, which have another look.
admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.unregister(Device)
admin.site.unregister(Alarm)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(Device)
class ConsoleDeviceAdmin(LoggedDeviceAdmin, GatewayDeviceAdmin):  # type: ignore[misc]
    """The pages of devices, with what the apps that stand on devices add to them."""


@admin.register(Alarm)
class ConsoleAlarmAdmin(LogAlarmAdmin):
    """The pages of alarms, with the way to what those of logs are about."""
