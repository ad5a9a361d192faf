"""What is told of lists and snapshots, against a plain look at every address."""
