"""How dates are written, whatever the language."""
