"""Decoders that run with torch: on a GPU, in other precisions, or where nothing compiles."""
