"""Pictures of the pages for the documentation, taken of the demo in Chromium."""
