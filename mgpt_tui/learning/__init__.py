"""Learning from the writer's stories: what the app and the process that learns share."""
