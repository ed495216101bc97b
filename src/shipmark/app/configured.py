"""What the settings say, as the values that the layers below take."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shipmark.api.webhooks_running import RunningWebhook
from shipmark.application.deliveries import Hook
from shipmark.application.diagnosis import ForgeSetup
from shipmark.application.doctor import Setup
from shipmark.application.metric_facts import MetricRules
from shipmark.application.metric_queries import FixRules
from shipmark.application.policy import Policy
from shipmark.connectors import argo_cd, cdevents, flux
from shipmark.connectors.forge_servers import PUBLIC, Access
from shipmark.connectors.forges import Forges, connect
from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.connectors.rules_file import read_rules_file
from shipmark.connectors.webhooks import WEBHOOKS, secret_setting
from shipmark.domain.artifacts import ServiceDeployed
from shipmark.domain.errors import InvalidArgument
from shipmark.settings import Settings, SettingsError

FORGES = ("github", "gitlab", "bitbucket", "azure_devops", "gitea")
TITLES = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "bitbucket": "Bitbucket",
    "azure_devops": "Azure DevOps",
    "gitea": "Gitea",
}


def policy_of(settings: Settings) -> Policy:
    """What the settings say about attribution."""
    return Policy(
        retry_for=settings.retry_for,
        first_retry_after=settings.first_retry_after,
        longest_retry_pause=settings.longest_retry_pause,
        register_unknown_repositories=settings.unknown_repositories == "register",
        wait_for_unknown_merge_commits=settings.unknown_merge_commits == "wait",
        patterns=Re2Engine(),
        paths=GitIgnoreEngine(),
        read_rules_file=read_rules_file,
    )


def metric_rules_of(settings: Settings) -> MetricRules:
    """What the settings say about metrics."""
    return MetricRules(
        incident_within=settings.incident_within,
        fixes=FixRules(
            titles=_listed(settings.rework_titles), labels=_listed(settings.rework_labels)
        ),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def running_webhooks(settings: Settings) -> dict[str, RunningWebhook]:
    """Who may tell what runs, and how it is read; by the name of the endpoint."""
    secrets = {
        "cdevents": (settings.cdevents_webhook_secret, cdevents),
        "argo-cd": (settings.argo_cd_webhook_secret, argo_cd),
        "flux": (settings.flux_webhook_secret, flux),
    }
    return {
        name: RunningWebhook(
            secret=secret,
            is_genuine=connector.is_genuine,
            read=partial(_read_webhook, connector.read_webhook),
        )
        for name, (secret, connector) in secrets.items()
    }


def _read_webhook(
    read: Callable[[Mapping[str, str], Any], Sequence[ServiceDeployed]],
    headers: Mapping[str, str],
    payload: Any,
) -> Sequence[ServiceDeployed]:
    try:
        return read(headers, payload)
    except UnreadablePayload as error:
        raise InvalidArgument(error.message) from None


def hooks_of(settings: Settings) -> dict[str, Hook]:
    """From which forges webhooks are taken: those for which there is a secret."""
    secrets = {forge: getattr(settings, secret_setting(forge)) for forge in WEBHOOKS}
    return {
        forge: Hook(
            secret=secret,
            is_genuine=WEBHOOKS[forge].is_genuine,
            delivery_id=WEBHOOKS[forge].delivery_id,
            kept_headers=WEBHOOKS[forge].kept_headers,
        )
        for forge, secret in secrets.items()
        if secret
    }


def forges_of(settings: Settings, **transport: Any) -> Forges:
    """The forges that the settings let us into; ``transport`` is for how they are asked. Raises
    SettingsError for what is said of a forge by half."""
    accesses = [access for source in FORGES if (access := _access(settings, source))]
    return connect(accesses, **transport)


def _access(settings: Settings, source: str) -> Access | None:
    token, url = getattr(settings, f"{source}_token"), getattr(settings, f"{source}_url")
    app = _app(settings) if source == "github" else None
    if app and token:
        raise SettingsError("Set SHIPMARK_GITHUB_TOKEN or SHIPMARK_GITHUB_APP_ID, not both.")
    if not (app or token or url):
        return None
    if url is None and source not in PUBLIC:
        variable = f"SHIPMARK_{source.upper()}"
        raise SettingsError(f"{variable}_TOKEN needs {variable}_URL beside it: where that is.")
    return Access(source=source, url=url, token=token, app=app)


def _app(settings: Settings) -> tuple[str, str] | None:
    if settings.github_app_id and settings.github_app_key:
        return settings.github_app_id, settings.github_app_key
    if settings.github_app_id:
        raise SettingsError("SHIPMARK_GITHUB_APP_ID needs SHIPMARK_GITHUB_APP_KEY beside it.")
    if settings.github_app_key:
        raise SettingsError("SHIPMARK_GITHUB_APP_KEY needs SHIPMARK_GITHUB_APP_ID beside it.")
    return None


def setup_of(settings: Settings) -> Setup:
    """What the settings say of each forge, for whoever looks for what is missing."""
    return Setup(
        forges={
            source: ForgeSetup(
                source=source,
                title=TITLES[source],
                is_asked=_access(settings, source) is not None,
                takes_webhooks=getattr(settings, f"{source}_webhook_secret") is not None,
                docs=f"docs/forges/{source.replace('_', '-')}.md",
            )
            for source in FORGES
        },
        patterns=Re2Engine(),
    )
