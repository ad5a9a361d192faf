"""Where lists come from: one module a kind."""
