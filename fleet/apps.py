from __future__ import annotations

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleet"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell who sees which rows, and who waits for a NOTIFY; make the tasks known by name.

        What belongs to an entry or a link is seen with it.
        """
        from devices.reports.visible import tell_names, through
        from fleet import link_tasks, rollout_tasks  # noqa: F401
        from fleet.models import (
            Entry,
            EntryKey,
            EntryStatus,
            GroupSettings,
            Link,
            PolicyZone,
            Publication,
            Rollout,
        )
        from fleet.reports.visible import (
            entries,
            names_of_entries,
            names_of_rollouts,
            of_entry,
            of_policy,
            rollouts,
        )
        from fleet.services.link_notify import hear_link
        from policies.services.notify import also_hear
        from policies.visible import share

        share(
            {
                Entry: entries,
                EntryKey: of_entry,
                EntryStatus: of_entry,
                GroupSettings: entries,  # both hang on a group
                Link: through("device"),
                PolicyZone: of_policy("publication__policy"),
                Publication: of_policy("policy"),
                Rollout: rollouts,
            }
        )
        tell_names("entry", names_of_entries)
        tell_names("rollout", names_of_rollouts)
        also_hear(hear_link)
