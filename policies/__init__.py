"""What is blocked and allowed, and where the lists come from."""
