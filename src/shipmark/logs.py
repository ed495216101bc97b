"""Structured logs: one JSON object a line, or text for a terminal."""

import logging
import sys
from typing import Any

import structlog


def configure(level: str, form: str) -> None:
    """Send all logs of the process, the libraries' too, through structlog to standard error.

    ``form`` is json, text, or auto: text on a terminal, else JSON.
    """
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if as_text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # It says twice at every start that there was nothing to migrate.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    # Every request is logged once, by us, with its id.
    logging.getLogger("uvicorn.access").disabled = True


def _without_colours(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """The server says some things twice, once with escape codes for a terminal."""
    event.pop("color_message", None)
    return event
