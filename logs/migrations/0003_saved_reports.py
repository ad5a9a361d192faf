import datetime
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0002_events'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claimed_by', models.CharField(blank=True, default='', editable=False, max_length=120)),
                ('claimed_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('name', models.CharField(max_length=100, unique=True)),
                ('query', models.CharField(blank=True, default='', help_text="What stands in the address of the report's page behind the question mark.", max_length=4000, verbose_name='question')),
                ('is_shared', models.BooleanField(default=False, help_text='Whether all who may see reports may open it.', verbose_name='shared')),
                ('every', models.CharField(choices=[('never', 'never'), ('daily', 'daily'), ('weekly', 'weekly'), ('monthly', 'monthly')], default='never', help_text='How often.', max_length=8, verbose_name='mailed')),
                ('at', models.TimeField(default=datetime.time(7, 0), help_text='Time of day, in the zone below.')),
                ('zone', models.CharField(default='UTC', help_text='Such as Europe/Berlin.', max_length=64, verbose_name='time zone')),
                ('weekday', models.PositiveSmallIntegerField(choices=[(0, 'Monday'), (1, 'Tuesday'), (2, 'Wednesday'), (3, 'Thursday'), (4, 'Friday'), (5, 'Saturday'), (6, 'Sunday')], default=0, help_text='Of a report that is mailed weekly.')),
                ('day', models.PositiveSmallIntegerField(default=1, help_text='Of one that is mailed monthly; the last day where a month is shorter.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(31)], verbose_name='day of the month')),
                ('recipients', models.JSONField(blank=True, default=list, help_text='Mail addresses.')),
                ('next_at', models.DateTimeField(editable=False, help_text='When it is mailed next.', null=True)),
                ('due_for', models.DateTimeField(editable=False, help_text='The moment of the mail that was tried last.', null=True)),
                ('attempts', models.PositiveIntegerField(default=0, editable=False, help_text='Failed in a row.')),
                ('error', models.TextField(blank=True, default='', editable=False)),
                ('mailed_at', models.DateTimeField(editable=False, null=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='saved_reports', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name', 'id'],
                'permissions': [('view_hits', 'Can view reports of connections')],
                'indexes': [models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='saved_report_due')],
                'constraints': [models.CheckConstraint(condition=models.Q(('every__in', ['never', 'daily', 'weekly', 'monthly'])), name='saved_report_every_is_known'), models.CheckConstraint(condition=models.Q(('weekday__gte', 0), ('weekday__lte', 6)), name='saved_report_weekday_is_one'), models.CheckConstraint(condition=models.Q(('day__gte', 1), ('day__lte', 31)), name='saved_report_day_is_one')],
            },
        ),
    ]
