"""Server-rendered pages (Jinja2). Only handlers are async; everything works without JavaScript."""
