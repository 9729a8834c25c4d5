"""What `mgpt-tui inspect` prints, in three forms: JSON, tables, a page."""
