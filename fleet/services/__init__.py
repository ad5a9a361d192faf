"""What is done with a fleet: each service is a verb, and writes."""
