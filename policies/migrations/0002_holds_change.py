from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="policy",
            name="holds_change",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Held by a shrink or growth limit; a person may let the change pass.",
            ),
        ),
        migrations.AddField(
            model_name="source",
            name="holds_change",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="The last answer lost more than the limit; a person may let it pass.",
            ),
        ),
    ]
