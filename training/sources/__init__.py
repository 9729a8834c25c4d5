"""Stories out of whatever holds them: text, JSON, CSV, Parquet, folders, the hub."""
