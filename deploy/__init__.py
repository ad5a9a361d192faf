"""Set-up and the runner: the rooms where processes may be started."""
