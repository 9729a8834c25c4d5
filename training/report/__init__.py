"""What a training and an evaluation show: figures, plots, tables, the live view."""
