"""What the library does with whole stories: finding, bringing in, throwing away and back."""
