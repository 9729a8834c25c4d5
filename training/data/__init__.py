"""What `prepare` makes of texts: tokens on disk, and the batches read from them."""
