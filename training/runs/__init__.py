"""What a training keeps on disk, and how it goes on from there."""
