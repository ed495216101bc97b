"""Structured logs: one JSON object a line, or text for a terminal."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog


def configure(level: str, form: str) -> None:
    """Send all logs of the process, the libraries' too, through structlog to standard error.

    ``form`` is json, text, or auto: text on a terminal, else JSON.
    """
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    least = logging.getLevelNamesMapping()[level.upper()]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    _configure_structlog(least, stamp, as_text=as_text)
    _configure_logging(least, stamp, as_text=as_text)


def _configure_structlog(least: int, stamp: Any, *, as_text: bool) -> None:
    """For loggers of structlog's own, which cost a third of those of the standard library."""
    factory: Any = structlog.WriteLoggerFactory(sys.stderr)
    renderer: Any = structlog.dev.ConsoleRenderer()
    if not as_text:
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamp,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )


def _configure_logging(least: int, stamp: Any, *, as_text: bool) -> None:
    """For loggers of the standard library."""
    rendering: list[Any] = [structlog.dev.ConsoleRenderer()]
    if not as_text:
        text = structlog.processors.JSONRenderer(serializer=lambda *a, **k: _json(*a, **k).decode())
        rendering = [structlog.processors.format_exc_info, text]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                _without_colours,
                stamp,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(least)
    # It says twice at every start that there was nothing to migrate.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    # Of what is asked of forges we log what matters, without query strings.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # Every request is logged once, by us, with its id.
    logging.getLogger("uvicorn.access").disabled = True


def _json(event: dict[str, Any], default: Any = repr, **_: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=default)


def _without_colours(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The server says some things twice, once with escape codes for a terminal."""
    event.pop("color_message", None)
    return event
