"""The REST API of policies, and what all of the API has in common (`base`)."""
