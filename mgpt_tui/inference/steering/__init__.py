"""What leads a text somewhere: to what comes after it, to words."""
