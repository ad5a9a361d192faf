"""The record of changes gets its way and address, its chain, and a lock against alteration."""

import hashlib
import json
from datetime import UTC

from django.db import migrations, models

AT_ONCE = 1000


def chain(apps, schema_editor):
    """Hang the rows that are there on each other, as policies.chain does with new ones."""
    changes = apps.get_model("policies", "Change").objects
    before, waiting = "0" * 64, []
    for row in changes.order_by("id").iterator(AT_ONCE):
        at = row.at.astimezone(UTC).isoformat()
        told = [before, at, row.actor, row.channel, row.origin, row.verb, row.subject, row.detail]
        row.digest = before = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        waiting.append(row)
        if len(waiting) == AT_ONCE:
            changes.bulk_update(waiting, ["digest"])
            waiting = []
    changes.bulk_update(waiting, ["digest"])


SAID = "the record of changes is only added to"
LOCK = {
    "sqlite": [
        f"""CREATE TRIGGER change_is_not_altered BEFORE UPDATE ON policies_change
        BEGIN SELECT RAISE(ABORT, '{SAID}'); END""",
        f"""CREATE TRIGGER change_is_not_removed BEFORE DELETE ON policies_change
        BEGIN SELECT RAISE(ABORT, '{SAID}'); END""",
    ],
    "postgresql": [
        f"""CREATE FUNCTION keep_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '{SAID}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
        """CREATE TRIGGER change_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON policies_change
        FOR EACH STATEMENT EXECUTE FUNCTION keep_changes()""",
    ],
}
UNLOCK = {
    "sqlite": ["DROP TRIGGER change_is_not_altered", "DROP TRIGGER change_is_not_removed"],
    "postgresql": [
        "DROP TRIGGER change_is_kept ON policies_change", "DROP FUNCTION keep_changes()"
    ],
}


def lock(apps, schema_editor):
    """Have the database itself refuse to alter or remove a row."""
    for statement in LOCK[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unlock(apps, schema_editor):
    """Let rows be altered again."""
    for statement in UNLOCK[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('policies', '0005_alarm_targets'),
    ]

    operations = [
        migrations.AddField(
            model_name='change',
            name='channel',
            field=models.CharField(blank=True, default='', help_text='The way it came: console, API with the token, tsadmin, system.', max_length=100),
        ),
        migrations.AddField(
            model_name='change',
            name='origin',
            field=models.CharField(blank=True, default='', help_text='The address it came from, if any.', max_length=64),
        ),
        migrations.AddField(
            model_name='change',
            name='digest',
            field=models.CharField(default='', editable=False, help_text='SHA-256 of this row and of the digest of the row before.', max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(chain, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='change',
            index=models.Index(fields=['actor', '-at'], name='change_by_actor'),
        ),
        migrations.AddConstraint(
            model_name='change',
            constraint=models.CheckConstraint(condition=models.Q(('digest', ''), _negated=True), name='change_is_in_the_chain'),
        ),
        migrations.RunPython(lock, unlock),
    ]
