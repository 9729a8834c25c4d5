"""A model that learns the writer's stories, as the app sees it."""
