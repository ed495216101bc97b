"""Settings: one frozen value, from SHIPMARK_* variables of the environment.

Each may instead be read from a file, named by the same variable with _FILE behind it; that is how
secrets are usually mounted. A variable nobody knows is refused: it is a typing error.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

PREFIX = "SHIPMARK_"
NOT_SETTINGS = ("SHIPMARK_TEST_", "SHIPMARK_URL", "SHIPMARK_TOKEN")
"""What clients of a server and the tests are told, and no business of a server's."""
FILE = "_FILE"
DATABASE_FILE = "shipmark.db"

LONGEST_SPAN = timedelta(days=3650)
TIME_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what would be right."""


def time_span(text: str) -> timedelta:
    """A time span like 90d, 1h30m or 5s. Raises ValueError."""
    parts = re.findall(r"([0-9]{1,9})([smhdw])", text.strip().lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip().lower():
        raise ValueError("must be a time span like 90d, 1h30m or 5s")
    seconds = sum(int(number) * TIME_UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= LONGEST_SPAN.total_seconds():
        raise ValueError(f"must be more than 0s and at most {LONGEST_SPAN.days}d")
    return timedelta(seconds=seconds)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError("must be one of " + ", ".join(choices))
        return text.lower()

    return parse


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must be an http or https URL")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    if not re.match(r"(postgres(ql)?(\+psycopg)?|sqlite)://", text):
        raise ValueError("must begin with postgresql:// or sqlite://")
    return re.sub(r"^postgres://", "postgresql://", text)


def _yes_or_no(text: str) -> bool:
    return _choice("yes", "no")(text) == "yes"


def _setting(parse: Callable[[str], Any], about: str, *, default: Any) -> Any:
    return field(default=default, metadata={"parse": parse, "about": about})


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must be one line of ASCII characters without blanks")
    return text


def _secret(about: str, parse: Callable[[str], str] = str) -> Any:
    """A setting that is never shown."""
    metadata = {"parse": parse, "about": about, "secret": True}
    return field(default=None, repr=False, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is in force. Each field is the variable SHIPMARK_<FIELD>."""

    database_url: str | None = _setting(
        _database_url,
        "PostgreSQL or SQLite to use; default: a SQLite file in data_dir",
        default=None,
    )
    data_dir: Path = _setting(Path, "folder of the SQLite file", default=Path())
    host: str = _setting(str, "address to listen on", default="127.0.0.1")
    port: int = _setting(_whole(0, 65535), "port to listen on", default=8000)
    base_url: str | None = _setting(
        _base_url, "address clients see, for links; default: as each request came", default=None
    )
    session_lifetime: timedelta = _setting(
        time_span, "how long one stays signed in to the pages", default=timedelta(days=7)
    )
    public_badges: bool = _setting(
        _yes_or_no, "show badges to anyone, without a token", default=False
    )
    max_body_bytes: int = _setting(
        _whole(1024, 2**40), "largest request body taken", default=64 * 1024 * 1024
    )
    max_import_bytes: int = _setting(
        _whole(1024, 2**40), "largest file to import, unpacked", default=1024 * 1024 * 1024
    )
    readers: int = _setting(_whole(1, 256), "threads that answer reads, in each process", default=8)
    with_worker: bool = _setting(
        _yes_or_no, "read deliveries and retry attributions in the server itself", default=True
    )
    retry_for: timedelta = _setting(
        time_span, "how long attribution is retried after registering", default=timedelta(days=3)
    )
    first_retry_after: timedelta = _setting(
        time_span,
        "pause before the first retry; it doubles after each",
        default=timedelta(minutes=1),
    )
    longest_retry_pause: timedelta = _setting(
        time_span, "longest pause between retries", default=timedelta(hours=1)
    )
    unknown_repositories: str = _setting(
        _choice("reject", "register"),
        "what becomes of repositories nobody has added",
        default="reject",
    )
    unknown_merge_commits: str = _setting(
        _choice("reject", "wait"),
        "what becomes of merge_commit_shas nobody imported",
        default="reject",
    )
    github_token: str | None = _secret("token to ask GitHub with", _token)
    github_app_id: str | None = _setting(
        str, "GitHub App to ask GitHub as, in place of a token", default=None
    )
    github_app_key: str | None = _secret("private key of that App, as GitHub made it (PEM)")
    github_url: str | None = _setting(
        _base_url, "GitHub Enterprise Server, if it is not github.com", default=None
    )
    gitlab_token: str | None = _secret("token to ask GitLab with", _token)
    gitlab_url: str | None = _setting(
        _base_url, "GitLab server, if it is not gitlab.com", default=None
    )
    bitbucket_token: str | None = _secret("token to ask Bitbucket with", _token)
    bitbucket_url: str | None = _setting(
        _base_url, "Bitbucket Data Center, if it is not Bitbucket Cloud", default=None
    )
    azure_devops_token: str | None = _secret("token to ask Azure DevOps with", _token)
    azure_devops_url: str | None = _setting(
        _base_url, "organisation or collection of Azure DevOps", default=None
    )
    gitea_token: str | None = _secret("token to ask Gitea or Forgejo with", _token)
    gitea_url: str | None = _setting(_base_url, "Gitea or Forgejo server", default=None)
    import_every: timedelta = _setting(
        time_span,
        "how often what was imported from a forge is brought up to date",
        default=timedelta(hours=6),
    )
    incident_within: timedelta = _setting(
        time_span,
        "how long after a deployment an incident of its service is taken to follow from it",
        default=timedelta(days=1),
    )
    rework_titles: str = _setting(
        str,
        "how titles of pull requests begin that are unplanned fixes, with commas between",
        default="hotfix, [hotfix], revert",
    )
    rework_labels: str = _setting(
        str,
        "labels of pull requests that are unplanned fixes, with commas between",
        default="hotfix, revert",
    )
    log_level: str = _setting(
        _choice("debug", "info", "warning", "error"),
        "least important log line written",
        default="info",
    )
    log_format: str = _setting(_choice("auto", "json", "text"), "form of log lines", default="auto")
    github_webhook_secret: str | None = _secret("what GitHub signs webhooks with")
    gitlab_webhook_secret: str | None = _secret("what GitLab proves webhooks with")
    bitbucket_webhook_secret: str | None = _secret("what Bitbucket signs webhooks with")
    azure_devops_webhook_secret: str | None = _secret("what Azure DevOps proves service hooks with")
    gitea_webhook_secret: str | None = _secret("what Gitea or Forgejo signs webhooks with")
    cdevents_webhook_secret: str | None = _secret("what senders of CDEvents tell")
    argo_cd_webhook_secret: str | None = _secret("what Argo CD's notifications tell")
    flux_webhook_secret: str | None = _secret("what Flux signs its events with")

    @property
    def effective_database_url(self) -> str:
        """The database's URL, also when it is the default file."""
        if self.database_url is not None:
            return self.database_url
        return f"sqlite:///{(self.data_dir / DATABASE_FILE).absolute()}"


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings from an environment. Raises SettingsError for the first that is wrong."""
    known = {PREFIX + one.name.upper(): one for one in fields(Settings)}
    values = {}
    for variable, text in _given(environment):
        if variable not in known:
            raise SettingsError(
                f"{variable} is no setting of Shipmark. There are: {', '.join(sorted(known))}."
            )
        if text.strip():
            values[known[variable].name] = _parsed(variable, known[variable], text.strip())
    return Settings(**values)


def _given(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each variable with its value; those ending in _FILE with what their file holds."""
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable.startswith(NOT_SETTINGS):
            continue
        if not variable.endswith(FILE):
            yield variable, text
            continue
        if environment.get(variable.removesuffix(FILE), "").strip():
            raise SettingsError(f"Set {variable.removesuffix(FILE)} or {variable}, not both.")
        try:
            yield variable.removesuffix(FILE), Path(text).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}: {text} cannot be read: {error}") from None


def _parsed(variable: str, setting: Field[Any], text: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as error:
        if setting.metadata.get("secret"):
            raise SettingsError(f"{variable} {error}.") from None
        raise SettingsError(f"{variable} is '{_masked_url(text)}'; it {error}.") from None


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value, what it is for) of each setting in force, with secrets masked."""
    return [
        (PREFIX + one.name.upper(), _shown(settings, one), one.metadata["about"])
        for one in fields(Settings)
    ]


def _shown(settings: Settings, setting: Field[Any]) -> str:
    value = _value(settings, setting.name)
    return "***" if value and setting.metadata.get("secret") else _text(value)


def _value(settings: Settings, name: str) -> Any:
    return settings.effective_database_url if name == "database_url" else getattr(settings, name)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return _span_text(value)
    return _masked_url(str(value))


def _span_text(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, TIME_UNITS[unit])
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _masked_url(text: str) -> str:
    """The text, with the password of a URL masked, in its authority or in its query."""
    try:
        parts = urlsplit(text)
        if not parts.netloc:
            return text
        user, at, host = parts.netloc.rpartition("@")
        name, colon, _ = user.partition(":")
        netloc = f"{name}{colon and ':***'}{at}{host}"
        query = re.sub(r"(?i)(password=)[^&]*", r"\1***", parts.query)
        return urlunsplit(parts._replace(netloc=netloc, query=query))
    except ValueError:
        return "***"
