"""Judge what was told and made no deployment, though somebody meant it to: what runs images whose
commit nobody told, and events of which a rule makes what cannot be a name.

Pure functions: they are told the present instant.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from shlex import quote

from shipmark.application.checkup import WaitingReport
from shipmark.application.diagnosis import Finding
from shipmark.application.findings import RULES, ago, counted
from shipmark.domain.artifacts import readable_ids, without_version
from shipmark.domain.events import SourceEvent
from shipmark.domain.rules import CompiledRule, NoMatch, match

INTEGRATIONS = "docs/integrations.md"
SYSTEMS = {"argo_cd": "Argo CD", "flux": "Flux", "cdevents": "CDEvents"}
MOST_IMAGES = 20
"""Findings about images, of those that were told last; what is left is counted."""

BY_DIGEST = "what is named by a digest alone"

Images = tuple[str, tuple[str, ...]]
"""Who told of them, and the images that run together, without their versions."""


def image_findings(now: datetime, reports: Iterable[WaitingReport]) -> Iterator[Finding]:
    """The deployments that wait for their images, by image; ``reports`` are newest first.

    Of images that run together one that is known is enough: sidecars are nobody's.
    """
    groups: dict[Images, list[WaitingReport]] = defaultdict(list)
    for one in reports:
        if _is_stuck(one):
            groups[one.source, _images(one)].append(one)
    shown = list(groups.items())[:MOST_IMAGES]
    for (source, images), waiting in shown:
        yield _image_finding(now, source, images, waiting)
    if left := len(groups) - len(shown):
        yield Finding(
            what=f"{counted(left, 'image')} more are waited for, which were told of earlier.",
            mend="Mend what is told of the others, and look again.",
            docs=f"{INTEGRATIONS}#from-images-to-commits",
        )


def _is_stuck(report: WaitingReport) -> bool:
    """Whether none of its artifacts has led to a commit. One that cannot be read never will."""
    readable = {place for place, one in enumerate(report.artifacts) if readable_ids([one])}
    return bool(report.artifacts) and readable <= report.waiting


def _images(report: WaitingReport) -> tuple[str, ...]:
    names = {without_version(one) for one in report.artifacts} - {""}
    return tuple(sorted(names)) or (BY_DIGEST,)


def _image_finding(
    now: datetime, source: str, images: Sequence[str], waiting: Sequence[WaitingReport]
) -> Finding:
    latest = waiting[0]
    since = min(one.at for one in waiting)
    count = counted(len(waiting), "deployment")
    told = (
        f"{count} that {SYSTEMS.get(source, source)} told of, since {since:%Y-%m-%d %H:%M:%S} UTC, "
        f"{'waits' if len(waiting) == 1 else 'wait'} for the commit of {' or '.join(images)}"
    )
    named = next((one for one in latest.artifacts if readable_ids([one])), None)
    if named is None:
        return Finding(
            what=f"{told}, and '{latest.artifacts[0]}' names no one build of it.",
            mend="Deploy it by its digest, or by a tag but latest, and tell that with "
            "artifacts.set.",
            docs=f"{INTEGRATIONS}#from-images-to-commits",
        )
    return Finding(
        what=f"{told}, which nobody told. The latest: {named}, {ago(now, latest.at)}.",
        mend="Let the job that builds it tell it, and what waits is deployed at once: "
        f"{_command(named)} If nobody of yours builds it, leave it out of what is sent.",
        docs=f"{INTEGRATIONS}#from-images-to-commits",
    )


def _command(artifact: str) -> str:
    return (
        'curl --fail "$SHIPMARK_URL/api/artifacts.set" '
        '--header "Authorization: Bearer $SHIPMARK_TOKEN" '
        # Others choose what an artifact is called, and somebody may paste this into a shell.
        f"--data-urlencode {quote(f'artifact={artifact}')} "
        '--data-urlencode repository=ORG/NAME --data-urlencode "commit_sha=$COMMIT_SHA".'
    )


def unfit_findings(
    now: datetime, rules: Iterable[tuple[str, CompiledRule]], events: Sequence[SourceEvent]
) -> Iterator[Finding]:
    """The rules, by name, that make what cannot be a name of events; these are newest first."""
    for name, rule in rules:
        unfit = [
            (event, made.reason)
            for event in events
            if isinstance(made := match(rule, event), NoMatch) and made.is_unfit
        ]
        if unfit:
            latest, why = unfit[0]
            yield Finding(
                what=f"The deploy rule '{name}' made no deployment of "
                f"{counted(len(unfit), 'event')} that it is about: {why}. The latest is of "
                f"{latest.repository}, {ago(now, latest.at)} ({latest.url or latest.key}).",
                mend="The events are kept. Let the rule make a shorter name, and save it with "
                "`since`: then it makes their deployments.",
                docs=f"{RULES}#what-is-made",
            )
