"""Screens of a model that learns the writer's stories."""
