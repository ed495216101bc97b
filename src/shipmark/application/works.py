"""The use cases that write, as the writer takes them, with the operator's policy bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from shipmark.application import (
    artifacts,
    change,
    file_steps,
    incident_corrections,
    incidents,
    path_rules,
    record_pulls,
    repositories,
    rules,
    set_services,
    upload_file,
)
from shipmark.application.deliveries import Delivery
from shipmark.application.drafts import Registration
from shipmark.application.file_imports import FileImport
from shipmark.application.inbox import receive
from shipmark.application.policy import Policy
from shipmark.application.queries import Page, PullRow, ReadTransaction
from shipmark.application.received import Refusals
from shipmark.application.register import Registered, register
from shipmark.application.sessions import Renewal, SignedIn, SigningIn, renew, sign_in, sign_out
from shipmark.application.tokens import (
    Account,
    TokenDraft,
    create_account,
    create_token,
    revoke_by_id,
    set_account_active,
)
from shipmark.application.upload_file import Part, Upload
from shipmark.application.writer import Work, one_by_one
from shipmark.domain.artifacts import ServiceDeployed
from shipmark.domain.errors import ShipmarkError
from shipmark.domain.incidents import Incident
from shipmark.domain.model import Repository

MOST_PREVIEWED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """What registering would answer, and the first pull requests it would ship."""

    registered: Registered
    pulls: list[PullRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """Everything a client can have written."""

    register: Work[Registration, Registered]
    preview: Work[Registration, Previewed]
    update: Work[change.Patch, Registered]
    upsert: Work[change.Patch, Registered]
    delete: Work[str, bool]
    retry: Work[int, Registered]
    set_services: Work[set_services.Assignment, set_services.Assigned]
    record_pulls: Work[Sequence[record_pulls.PullFacts], list[record_pulls.Result]]
    upsert_repository: Work[tuple[str, Mapping[str, Any]], Repository]
    upsert_rule: Work[rules.RuleDraft, rules.SavedRule]
    try_rule: Work[rules.Trial, rules.SavedRule]
    delete_rule: Work[str, bool]
    set_artifact: Work[artifacts.BuiltFrom, artifacts.ArtifactSet]
    save_path_rules: Work[path_rules.PathRulesDraft, path_rules.Recomputed]
    try_path_rules: Work[path_rules.PathRulesDraft, path_rules.Recomputed]
    save_rules_file: Work[path_rules.FileDraft, path_rules.Recomputed]
    try_rules_file: Work[path_rules.FileDraft, path_rules.Recomputed]
    record_reports: Work[Sequence[ServiceDeployed], list[str]]
    mark_used: Work[tuple[int, datetime], None]
    receive: Work[Delivery, bool]
    note_refusals: Work[tuple[str, int], None]
    upsert_incident: Work[incidents.IncidentDraft, Incident]
    delete_incident: Work[str, bool]
    correct_link: Work[incident_corrections.CorrectionDraft, Incident]
    sign_in: Work[SigningIn, SignedIn]
    renew_session: Work[Renewal, SignedIn]
    sign_out: Work[str, None]
    begin_upload: Work[Upload, FileImport]
    add_part: Work[Part, FileImport]
    finish_upload: Work[FileImport, FileImport]
    abandon_upload: Work[int, None]
    preview_import: Work[int, FileImport]
    apply_import: Work[tuple[int, bool], FileImport]
    undo_import: Work[tuple[int, bool], FileImport]
    create_token: Work[TokenDraft, str]
    revoke_token: Work[int, None]
    create_account: Work[str, Account]
    set_account_active: Work[tuple[str, bool], None]


def works(policy: Policy) -> Works:
    """The use cases under a policy."""
    return Works(
        register=Work(partial(register, policy=policy)),
        preview=one_by_one(partial(_preview, policy=policy), kept=False),
        update=one_by_one(partial(change.update, policy=policy)),
        upsert=one_by_one(partial(change.upsert, policy=policy)),
        delete=one_by_one(partial(change.delete, policy=policy)),
        retry=one_by_one(partial(change.retry, policy=policy)),
        set_services=one_by_one(partial(set_services.set_services, policy=policy)),
        record_pulls=one_by_one(partial(record_pulls.record_pulls, policy=policy)),
        upsert_repository=one_by_one(partial(_upsert_repository, policy=policy)),
        upsert_rule=one_by_one(partial(rules.upsert_rule, policy=policy)),
        try_rule=one_by_one(partial(rules.try_rule, policy=policy), kept=False),
        delete_rule=one_by_one(rules.delete_rule),
        set_artifact=one_by_one(partial(artifacts.set_artifact, policy=policy)),
        save_path_rules=one_by_one(partial(path_rules.save_path_rules, policy=policy)),
        try_path_rules=one_by_one(partial(path_rules.save_path_rules, policy=policy), kept=False),
        save_rules_file=one_by_one(partial(path_rules.save_rules_file, policy=policy)),
        try_rules_file=one_by_one(partial(path_rules.save_rules_file, policy=policy), kept=False),
        record_reports=one_by_one(partial(artifacts.record_reports, policy=policy)),
        mark_used=Work(_mark_used),
        receive=Work(receive),
        note_refusals=one_by_one(_note_refusals),
        upsert_incident=one_by_one(incidents.upsert_incident),
        delete_incident=one_by_one(incidents.delete_incident),
        correct_link=one_by_one(incident_corrections.correct_link),
        sign_in=one_by_one(sign_in),
        renew_session=one_by_one(renew),
        sign_out=one_by_one(sign_out),
        begin_upload=one_by_one(upload_file.begin),
        add_part=one_by_one(upload_file.add_part),
        finish_upload=one_by_one(upload_file.finish),
        abandon_upload=one_by_one(upload_file.abandon),
        preview_import=one_by_one(file_steps.begin_previewing),
        apply_import=one_by_one(_apply_import),
        undo_import=one_by_one(_undo_import),
        create_token=one_by_one(_create_token),
        revoke_token=one_by_one(revoke_by_id),
        create_account=one_by_one(create_account),
        set_account_active=one_by_one(_set_account_active),
    )


def _preview(tx: ReadTransaction, registration: Registration, *, policy: Policy) -> Previewed:
    (result,) = register(tx, [registration], policy=policy)
    if isinstance(result, ShipmarkError):
        raise result
    pulls = tx.reports.shipped_pulls(result.deployment.id, Page(limit=MOST_PREVIEWED))
    return Previewed(registered=result, pulls=pulls)


def _note_refusals(tx: ReadTransaction, refused: tuple[str, int]) -> None:
    forge, count = refused
    source = forge.replace("-", "_")
    tx.received.note_refusals(Refusals(forge=source, refused=count, last_at=tx.now))


def _apply_import(tx: ReadTransaction, asked: tuple[int, bool]) -> FileImport:
    import_id, strict = asked
    return file_steps.begin_applying(tx, import_id, strict=strict)


def _undo_import(tx: ReadTransaction, asked: tuple[int, bool]) -> FileImport:
    import_id, force = asked
    return file_steps.begin_undoing(tx, import_id, force=force)


def _create_token(tx: ReadTransaction, draft: TokenDraft) -> str:
    return create_token(
        tx,
        name=draft.name,
        account=draft.account,
        scopes=draft.scopes,
        expires_in=draft.expires_in,
    )


def _set_account_active(tx: ReadTransaction, asked: tuple[str, bool]) -> None:
    name, active = asked
    set_account_active(tx, name, active=active)


def _mark_used(tx: ReadTransaction, used: Sequence[tuple[int, datetime]]) -> list[None]:
    tx.tokens.mark_used(used)
    return [None] * len(used)


def _upsert_repository(
    tx: ReadTransaction, named: tuple[str, Mapping[str, Any]], *, policy: Policy
) -> Repository:
    name, facts = named
    return repositories.upsert_repository(tx, name, facts, policy=policy)
