"""The writes of policies: keyword-only verbs."""

from __future__ import annotations

from policies.services.alarm_acknowledge import acknowledge_alarm
from policies.services.alarm_targets import (
    Made,
    change_target,
    create_target,
    delete_target,
    renew_secret,
)
from policies.services.alarms import Cause, keep_alarms, review_alarms
from policies.services.approve import approve_candidate, discard_candidate, held_candidate
from policies.services.carry_over import carry_over
from policies.services.changes import Differs, record_change, record_changes, record_export
from policies.services.compile import CompileReport, compile_policy_now
from policies.services.due import due_sources
from policies.services.guards import try_tests
from policies.services.history import release_policy, return_to_snapshot
from policies.services.machine_alarms import Disk, back_since, known_before, review_machine_alarms
from policies.services.manage_policies import (
    Member,
    MustHold,
    change_policy,
    create_policy,
    delete_policy,
    members_of,
    tests_of,
)
from policies.services.manage_protected import (
    change_protected,
    protect_network,
    unprotect_network,
)
from policies.services.manage_sources import change_source, create_source, delete_source
from policies.services.notify_alarms import (
    Tried,
    due_targets,
    prune_notices,
    send_test,
    tell_target,
)
from policies.services.pack import CannotPack, pack_snapshot
from policies.services.protected import (
    AddressRefused,
    forget_protected,
    make_policies_due,
    protect,
    protect_seen,
)
from policies.services.prune import Pruned, prune
from policies.services.publish import PublishFailed, publish_snapshot
from policies.services.refresh import (
    Busy,
    RefreshReport,
    accept_change,
    refresh_policy,
    request_refresh,
)
from policies.services.retrieve import retrieve_source
from policies.services.rows import InUse, Outdated, Refused
from policies.services.sources import build_source, find_or_make_source
from policies.services.user_lists import (
    LinesRefused,
    Written,
    add_record,
    add_records,
    change_record,
    create_user_list,
    expire_records,
    export_csv,
    remove_records,
    replace_records,
)

__all__ = [
    "AddressRefused",
    "Busy",
    "CannotPack",
    "Cause",
    "CompileReport",
    "Differs",
    "Disk",
    "InUse",
    "LinesRefused",
    "Made",
    "Member",
    "MustHold",
    "Outdated",
    "Pruned",
    "PublishFailed",
    "RefreshReport",
    "Refused",
    "Tried",
    "Written",
    "accept_change",
    "acknowledge_alarm",
    "add_record",
    "add_records",
    "approve_candidate",
    "back_since",
    "build_source",
    "carry_over",
    "change_policy",
    "change_protected",
    "change_record",
    "change_source",
    "change_target",
    "compile_policy_now",
    "create_policy",
    "create_source",
    "create_target",
    "create_user_list",
    "delete_policy",
    "delete_source",
    "delete_target",
    "discard_candidate",
    "due_sources",
    "due_targets",
    "expire_records",
    "export_csv",
    "find_or_make_source",
    "forget_protected",
    "held_candidate",
    "keep_alarms",
    "known_before",
    "make_policies_due",
    "members_of",
    "pack_snapshot",
    "protect",
    "protect_network",
    "protect_seen",
    "prune",
    "prune_notices",
    "publish_snapshot",
    "record_change",
    "record_changes",
    "record_export",
    "refresh_policy",
    "release_policy",
    "remove_records",
    "renew_secret",
    "replace_records",
    "request_refresh",
    "retrieve_source",
    "return_to_snapshot",
    "review_alarms",
    "review_machine_alarms",
    "send_test",
    "tell_target",
    "tests_of",
    "try_tests",
    "unprotect_network",
]
