"""What an operator may decide about attribution; `settings` fills it in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shipmark.domain.path_rules import PathEngine, RulesFileReader
from shipmark.domain.patterns import PatternEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long attribution is retried, and what is done with names nobody has imported.

    ``patterns`` and ``paths`` run what deploy rules and path rules are made of; without one, there
    are no such rules. ``read_rules_file`` reads a repository's own.
    """

    retry_for: timedelta = timedelta(days=3)
    first_retry_after: timedelta = timedelta(minutes=1)
    longest_retry_pause: timedelta = timedelta(hours=1)
    register_unknown_repositories: bool = False
    wait_for_unknown_merge_commits: bool = False
    patterns: PatternEngine | None = None
    paths: PathEngine | None = None
    read_rules_file: RulesFileReader | None = None

    def next_retry(
        self, now: datetime, attempts: int, *, longest: timedelta | None = None
    ) -> datetime:
        """When to look again after ``attempts`` in vain: the pause doubles up to its limit, which
        ``longest`` may be."""
        limit = longest or self.longest_retry_pause
        pause = self.first_retry_after
        for _ in range(attempts):
            if pause >= limit:
                break
            pause *= 2
        return now + min(pause, limit)
