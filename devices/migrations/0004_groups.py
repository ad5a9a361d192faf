import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('devices', '0003_log_settings'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeviceGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('note', models.TextField(blank=True, default='')),
                ('people', models.ManyToManyField(blank=True, help_text='They see only the devices of their groups. Who is in no group sees all.', related_name='device_groups', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.AddField(
            model_name='device',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='devices', to='devices.devicegroup'),
        ),
        migrations.AddConstraint(
            model_name='devicegroup',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='device_group_has_a_name'),
        ),
    ]
