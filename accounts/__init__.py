"""Who may use the console and the API: tokens."""
