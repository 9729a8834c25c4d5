"""The parts of the screens; none of them knows the app."""
