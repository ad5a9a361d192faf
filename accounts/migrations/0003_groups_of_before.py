from django.db import migrations

ROLES = ('owner', 'operator', 'report manager', 'report viewer', 'auditor')


def rename(apps, schema_editor):
    """Give groups that a site named like a role another name: a role's rights are not theirs."""
    groups = apps.get_model('auth', 'Group').objects
    for group in groups.filter(name__in=ROLES).order_by('pk'):
        name = f'{group.name} (before roles)'
        while groups.filter(name=name).exists():
            name += '+'
        groups.filter(pk=group.pk).update(name=name)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_sign_in'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop)]
