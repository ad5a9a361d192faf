"""The rows of figures: each is measured beside its peer, in one run."""
