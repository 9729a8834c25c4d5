"""The writing room: a full-screen app for the terminal."""
