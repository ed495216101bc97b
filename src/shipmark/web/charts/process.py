"""The process that draws: it alone loads vl-convert, which takes 150 MB and holds Python's lock.

A line of JSON in, a line of JSON out, until there is nothing to draw for a while.
"""

import json
import select
import sys
from typing import Any

import vl_convert

IDLE_SECONDS = 300
EXPOSED = "window.vegaEmbed = vegaEmbed;"


def answer(asked: dict[str, Any]) -> str:
    """The SVG of a specification, or the script that draws in a browser."""
    if "specification" in asked:
        return vl_convert.vegalite_to_svg(asked["specification"])
    return vl_convert.javascript_bundle(EXPOSED)


def main() -> None:
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        try:
            said = {"answer": answer(json.loads(line))}
        except ValueError as error:
            said = {"error": str(error)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
