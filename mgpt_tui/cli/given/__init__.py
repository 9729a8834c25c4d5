"""What commands are given: options made from settings, beginnings, models."""
