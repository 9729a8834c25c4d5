"""What leads a generation somewhere."""
