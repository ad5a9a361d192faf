"""From a snapshot to a kernel that enforces it, and back: what is live is read and proved."""
