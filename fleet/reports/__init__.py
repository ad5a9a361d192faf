"""What is asked of a fleet; nothing is written here."""
