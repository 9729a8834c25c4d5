"""A model of the writer's own stories: little text, and a model that can write already."""
