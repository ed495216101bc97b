"""The forms that arguments of several methods share, with the words that document them."""

from shipmark.api import coercions
from shipmark.api.decoding import Form

TEXT_OR_NUMBER = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
NAMED = {
    "type": "object",
    "properties": {"identifier": {"type": "string"}, "name": {"type": "string"}},
}

INSTANT = Form(
    coercions.instant,
    {
        "anyOf": [{"type": "number"}, {"type": "string"}],
        "examples": [1772618400, 1772618400000, "2026-03-04T10:00:00Z"],
    },
    "Unix seconds, Unix milliseconds (from 1e11), or ISO-8601; without a zone it is UTC.",
)
TEXT = Form(coercions.short_text, {"type": "string"})
LONG_TEXT = Form(coercions.long_text, {"type": "string"})
IDENTIFIER = Form(coercions.identifier, TEXT_OR_NUMBER)
BRANCH = Form(coercions.branch, {"type": "string", "examples": ["main"]})
BOOLEAN = Form(
    coercions.boolean,
    {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false", "1", "0", "yes", "no"]}]},
)
WHOLE_NUMBER = Form(
    coercions.whole_number,
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+$"}]},
)
REPOSITORY = Form(
    coercions.repository,
    {"type": "string", "examples": ["acme/shop"]},
    "The repository's name with its organization (project on Azure DevOps, workspace on "
    "Bitbucket); compared without regard to case.",
)
SERVICE = Form(
    coercions.service,
    {"anyOf": [{"type": "string"}, NAMED], "examples": ["checkout"]},
    "A service's name, or its identifier and name.",
)
SERVICES = Form(
    coercions.services,
    {
        "anyOf": [
            {"type": "array", "items": {"anyOf": [{"type": "string"}, NAMED]}},
            {"type": "string"},
        ],
        "examples": [["checkout", "catalog"]],
    },
    "The services; one text is split on blanks, commas and bars.",
)
COMMIT_SHA = Form(
    coercions.commit_sha,
    {"type": "string", "pattern": "^[0-9a-fA-F]{7,40}$"},
    "7 to 40 characters of the SHA of the commit that was deployed.",
)
FULL_SHA = Form(coercions.full_sha, {"type": "string", "pattern": "^[0-9a-fA-F]{7,40}$"})
FULL_SHAS = Form(coercions.full_shas, {"type": "array", "items": FULL_SHA.schema})
MERGE_COMMIT_SHAS = Form(
    coercions.merge_commit_shas,
    {
        "anyOf": [
            {"type": "array", "items": COMMIT_SHA.schema, "minItems": 1},
            {"type": "string"},
        ],
        "examples": [["5d41a7c09b3e", "126a74d05c9"]],
    },
    "The merge commits of the pull requests that were deployed; not together with commit_sha.",
)
URL = Form(coercions.url, {"type": "string", "examples": ["https://ci.example/build/57"]})
METADATA = Form(
    coercions.metadata,
    {"type": "object", "examples": [{"version": "2.4.0"}]},
    "Anything you want to keep with it; keys of letters, digits, dashes and underscores, at most "
    "64 KiB of JSON.",
)
TEXTS = Form(coercions.texts, {"type": "array", "items": {"type": "string"}})
