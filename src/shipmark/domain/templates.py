"""Names made from what an event tells: ``{repository_name}-api``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from string import Formatter


class TemplateInvalid(ValueError):
    """A template that cannot be understood; its text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and placeholders in turn: each part is ``(text, placeholder or None)``."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(name for _, name in self.parts if name is not None)

    def missing(self, values: Mapping[str, str | None]) -> str | None:
        """The first placeholder for which there is no value, if any."""
        names = (name for _, name in self.parts if name is not None)
        return next((name for name in names if not values.get(name)), None)

    def fill(self, values: Mapping[str, str | None]) -> str:
        """The text, without white space at its ends. What is missing is left out."""
        pieces = (text + ((values.get(name) if name else None) or "") for text, name in self.parts)
        return "".join(pieces).strip()


def read_template(text: str, *, known: Collection[str]) -> Template:
    """Read a template whose placeholders are among the known ones. ``{{`` is a plain ``{``.

    Raises TemplateInvalid.
    """
    if not text.strip():
        raise TemplateInvalid("it is blank")
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise TemplateInvalid(
            f"its braces do not pair ({error}); write {{{{ for a plain {{"
        ) from None
    for _, name, layout, conversion in parsed:
        if name is None:
            continue
        if layout or conversion or name not in known:
            # Formatter would also read attributes, items and formats: none of them is wanted.
            written = (
                name + (f"!{conversion}" if conversion else "") + (f":{layout}" if layout else "")
            )
            allowed = ", ".join(f"{{{one}}}" for one in sorted(known)) or "none"
            raise TemplateInvalid(f"{{{written}}} is not a placeholder here; known are: {allowed}")
    return Template(tuple((literal, name) for literal, name, _, _ in parsed))
