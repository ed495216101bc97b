"""The templates, and what they may use: filters for values, and addresses of files."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from shipmark.web import figures, words
from shipmark.web.fields import names_text
from shipmark.web.static_files import CHART_SCRIPT, served_name


@cache
def environment() -> Environment:
    """Everything is escaped; a name that nobody gave is an error, not a blank."""
    made = Environment(
        loader=PackageLoader("shipmark.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": words.ago,
        "amount": words.amount,
        "count_of": words.count,
        "exact": words.exact,
        "minute": words.minute,
        "in_order": words.in_order,
        "iso": words.iso,
        "listed": names_text,
        "percent": figures.percent,
        "metadata": words.metadata_of,
        "shipped": words.shipped,
        "short_sha": words.short_sha,
        "span": words.span,
        "web_address": words.web_address,
    }
    made.globals |= {
        "without": words.without,
        "served_name": served_name,
        "chart_script": CHART_SCRIPT,
    }
    return made
