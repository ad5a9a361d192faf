"""What has hurt people in this field: one test a failure, through the whole chain."""
