"""What `fuzz.py` gives to readers, a module for each kind of what is read."""
