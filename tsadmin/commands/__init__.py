"""What each command does; imported when it runs, since all of this needs Django."""
