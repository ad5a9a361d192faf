import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0003_log_settings'),
        ('logs', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='EventFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Below the folder of events.', max_length=120, unique=True)),
                ('day', models.DateField()),
                ('events', models.PositiveBigIntegerField()),
                ('bytes', models.PositiveBigIntegerField()),
                ('first_at', models.DateTimeField(help_text='When its first event was.')),
                ('last_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('without', models.JSONField(default=dict, help_text='Batches that were parsed again since: {batch: events}; these do not count.')),
                ('removed_at', models.DateTimeField(help_text='When its events were let go, or went into another file.', null=True)),
            ],
            options={
                'ordering': ['day', 'id'],
            },
        ),
        migrations.CreateModel(
            name='HitHour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField(help_text='When it begins.')),
                ('list_id', models.PositiveBigIntegerField(help_text='The source; 0 where no list has it.')),
                ('direction', models.PositiveSmallIntegerField(help_text='0 in, 1 out.')),
                ('action', models.PositiveSmallIntegerField(help_text='0 allowed, 1 dropped, 2 monitored.')),
                ('connections', models.PositiveBigIntegerField()),
            ],
            options={
                'ordering': ['hour', 'id'],
            },
        ),
        migrations.CreateModel(
            name='LineShape',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='SHA-256 of the shape.', max_length=64)),
                ('shape', models.TextField()),
                ('sample', models.TextField(help_text='One of the lines, cut to a bound.')),
                ('lines', models.PositiveBigIntegerField()),
                ('first_at', models.DateTimeField(help_text='When the first batch with such a line arrived.')),
                ('last_at', models.DateTimeField()),
                ('version', models.PositiveIntegerField(help_text='Of the parsers that did not know it.')),
            ],
            options={
                'verbose_name': 'unknown line',
                'ordering': ['-lines', '-id'],
            },
        ),
        migrations.AddField(
            model_name='batch',
            name='claimed_by',
            field=models.CharField(blank=True, default='', editable=False, max_length=120),
        ),
        migrations.AddField(
            model_name='batch',
            name='claimed_until',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='batch',
            name='events',
            field=models.PositiveBigIntegerField(default=0, help_text='Lines that tell of a connection.'),
        ),
        migrations.AddField(
            model_name='batch',
            name='no_connection',
            field=models.PositiveBigIntegerField(default=0, help_text='Lines that tell of something else.'),
        ),
        migrations.AddField(
            model_name='batch',
            name='parse_due_at',
            field=models.DateTimeField(help_text='Not before this, after a failure; empty for at once.', null=True),
        ),
        migrations.AddField(
            model_name='batch',
            name='parse_error',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='batch',
            name='parsed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='batch',
            name='parsed_version',
            field=models.PositiveIntegerField(default=0, help_text='Of the parsers that read it last; 0 where none did.'),
        ),
        migrations.AddField(
            model_name='batch',
            name='unknown',
            field=models.PositiveBigIntegerField(default=0, help_text='Lines that no parser knows.'),
        ),
        migrations.AddField(
            model_name='spool',
            name='unparsed_lines',
            field=models.PositiveBigIntegerField(default=0, help_text='Were removed before they were parsed: reports know nothing of them.'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(condition=models.Q(('claimed_by', ''), _negated=True), fields=['claimed_until'], name='batch_claimed'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(condition=models.Q(('removed_at', None)), fields=['parsed_version', 'id'], name='batch_to_parse'),
        ),
        migrations.AddField(
            model_name='eventfile',
            name='batch',
            field=models.ForeignKey(help_text='Whose events it holds; empty where it holds those of many.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='logs.batch'),
        ),
        migrations.AddField(
            model_name='hithour',
            name='device',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='hit_hours', to='devices.device'),
        ),
        migrations.AddField(
            model_name='lineshape',
            name='device',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='line_shapes', to='devices.device'),
        ),
        migrations.AddIndex(
            model_name='eventfile',
            index=models.Index(condition=models.Q(('removed_at', None)), fields=['first_at', 'last_at'], name='event_file_when'),
        ),
        migrations.AddIndex(
            model_name='eventfile',
            index=models.Index(condition=models.Q(('removed_at', None)), fields=['day'], name='event_file_day'),
        ),
        migrations.AddIndex(
            model_name='eventfile',
            index=models.Index(condition=models.Q(('removed_at__isnull', False)), fields=['removed_at'], name='event_file_gone'),
        ),
        migrations.AddConstraint(
            model_name='eventfile',
            constraint=models.CheckConstraint(condition=models.Q(('first_at__lte', models.F('last_at'))), name='event_file_ends_after_it_began'),
        ),
        migrations.AddIndex(
            model_name='hithour',
            index=models.Index(fields=['action', 'hour', 'direction', 'list_id', 'device', 'connections'], name='hit_hour_sums'),
        ),
        migrations.AddConstraint(
            model_name='hithour',
            constraint=models.UniqueConstraint(fields=('device', 'hour', 'list_id', 'direction', 'action'), name='hit_hour_once'),
        ),
        migrations.AddConstraint(
            model_name='hithour',
            constraint=models.CheckConstraint(condition=models.Q(('direction__in', (0, 1))), name='hit_hour_direction_is_known'),
        ),
        migrations.AddConstraint(
            model_name='hithour',
            constraint=models.CheckConstraint(condition=models.Q(('action__in', (0, 1, 2))), name='hit_hour_action_is_known'),
        ),
        migrations.AddConstraint(
            model_name='lineshape',
            constraint=models.UniqueConstraint(fields=('device', 'digest'), name='line_shape_once_a_device'),
        ),
    ]
