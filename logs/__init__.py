"""What came back: lines received, spooled, rotated, shipped, each of them counted."""
