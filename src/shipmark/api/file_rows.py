"""Rows of files as what the methods take: the same wire types, so the same codes and messages."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from shipmark.api.arguments import json_object
from shipmark.api.decoding import decode
from shipmark.api.deployments import CreateArguments
from shipmark.api.pull_import import PullItem, pull_facts
from shipmark.api.pulls import SetServicesArguments
from shipmark.application.drafts import Registration
from shipmark.application.file_imports import Kind
from shipmark.application.file_kinds import RowReader
from shipmark.application.record_pulls import PullFacts
from shipmark.application.set_services import Assignment
from shipmark.domain.errors import InvalidArgument

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOBODY = 0
"""Whose a deployment is stands with the import."""

SEPARATORS = {"commit_shas": r"[,;|\s]+", "labels": r"\s*[;|]\s*", "files": r"\s*[;|]\s*"}
"""What separates the items of a cell that is a list."""


def _registration(cells: Mapping[str, Any]) -> Registration:
    arguments = decode(CreateArguments, cells)
    if arguments.dry_run:
        raise InvalidArgument(
            "A row of a file cannot be a dry run; leave it out, or preview the whole file.",
            argument="dry_run",
        )
    return arguments.registration(NOBODY)


def _pull(cells: Mapping[str, Any]) -> PullFacts:
    return pull_facts({name: _listed(name, value) for name, value in cells.items()})


def _listed(name: str, value: Any) -> Any:
    if name in SEPARATORS and isinstance(value, str) and not value.lstrip().startswith("["):
        return [one for one in re.split(SEPARATORS[name], value.strip()) if one]
    return value


def _assignment(cells: Mapping[str, Any]) -> Assignment:
    return decode(SetServicesArguments, cells).assignment()


_read_line = partial(json_object, of="line", instead="Each line must be a JSON object of its own.")


def understood(values: str) -> bytes:
    """What a row was understood to say, as JSON, by the names and in the forms of arguments."""
    if not values:
        return b"null"
    stored = json.loads(values)
    stored |= stored.pop("values", {})
    if "service_name" in stored:
        stored["service"] = _service(stored["service"], stored.pop("service_name"))
    if "services" in stored:
        told = {"github_pull_id": stored.pop("source_id"), "pull_number": stored.pop("number")}
        stored["services"] = [_service(*one) for one in stored["services"]]
        stored |= {name: value for name, value in told.items() if value is not None}
    return msgspec.json.encode({name: _answered(name, value) for name, value in stored.items()})


def _service(identifier: str, name: str | None) -> str | dict[str, str]:
    return identifier if name is None else {"identifier": identifier, "name": name}


def _answered(name: str, value: Any) -> Any:
    if name.endswith("_at") and isinstance(value, int):
        return EPOCH + timedelta(microseconds=value)
    return msgspec.Raw(value.encode()) if name == "metadata" and value else value


DEPLOYMENTS = RowReader(
    columns=CreateArguments.__struct_fields__,
    read=_registration,
    read_json=_read_line,
    template=(
        "deployed_at,service,environment,repository,commit_sha,merge_commit_shas,reference_id,"
        "success,source_name,source_url,integration_branch,metadata\r\n"
        "2024-03-04T10:00:00Z,checkout,production,acme/shop,5d41a7c09b3e,,build-57,true,argoCD,"
        'https://ci.example/build/57,,"{""version"": ""2.4.0""}"\r\n'
    ),
)
PULLS = RowReader(
    columns=PullItem.__struct_fields__,
    read=_pull,
    read_json=_read_line,
    template=(
        "repository,number,base_ref,merged_at,merge_commit_sha,title,author,url,created_at,"
        "first_commit_at,head_ref,head_sha,commit_shas,labels,files,source_id\r\n"
        "acme/shop,12,main,2024-03-04T09:30:00Z,5d41a7c09b3e126a74d05c9f0d7b6d0c1a2b3c4d,"
        "Sell apples,ann,https://forge.example/acme/shop/pull/12,2024-03-01T08:00:00Z,,apples,,,"
        "feature;fruit,src/apples.py,\r\n"
    ),
)
SERVICES = RowReader(
    columns=SetServicesArguments.__struct_fields__,
    read=_assignment,
    read_json=_read_line,
    template='repository,pull_number,services,replace\r\nacme/shop,12,"checkout,catalog",true\r\n',
)
READERS = {Kind.DEPLOYMENTS: DEPLOYMENTS, Kind.PULLS: PULLS, Kind.SERVICES: SERVICES}
