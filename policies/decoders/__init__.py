"""What a retrieved payload says: one module a format."""
