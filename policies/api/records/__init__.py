"""The records of lists kept here."""
