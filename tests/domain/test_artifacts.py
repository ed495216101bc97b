"""What runs, however it is written, leads to the commit it was built from."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON, sha

from shipmark.domain.artifacts import (
    ArtifactInvalid,
    Commit,
    ServiceDeployed,
    artifact_ids,
    as_events,
    known_commits,
    readable_ids,
)
from shipmark.domain.events import EventSource

HEX = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        (DIGEST, [DIGEST]),
        (DIGEST.upper().replace("SHA", "sha"), [DIGEST]),
        (f"sha512:{HEX}{HEX}", [f"sha512:{HEX}{HEX}"]),
        ("ghcr.io/acme/shop:1.2", ["ghcr.io/acme/shop:1.2"]),
        ("GHCR.io/Acme/shop:1.2-RC", ["ghcr.io/acme/shop:1.2-RC"]),
        (f" ghcr.io/acme/shop:1.2@{DIGEST} ", [DIGEST, "ghcr.io/acme/shop:1.2"]),
        (f"ghcr.io/acme/shop@{DIGEST}", [DIGEST]),
        (f"ghcr.io/acme/shop:latest@{DIGEST}", [DIGEST]),
        ("localhost:5000/shop:1", ["localhost:5000/shop:1"]),
        ("[::1]:5000/shop:1", ["[::1]:5000/shop:1"]),
        ("localhost/shop:1", ["localhost/shop:1"]),
        ("nginx:1.27", ["docker.io/library/nginx:1.27"]),
        ("acme/shop:1", ["docker.io/acme/shop:1"]),
        ("docker.io/nginx:1.27", ["docker.io/library/nginx:1.27"]),
        ("index.docker.io/acme/shop:1", ["docker.io/acme/shop:1"]),
        (f"pkg:oci/shop@sha256%3A{HEX}", [DIGEST]),
        (
            f"pkg:oci/shop@sha256%3A{HEX}?repository_url=ghcr.io/acme/shop&tag=1.2",
            [DIGEST, "ghcr.io/acme/shop:1.2"],
        ),
        (f"pkg:oci/shop@{DIGEST}?tag=latest&arch=arm64", [DIGEST]),
        ("pkg:docker/acme/shop@1.2", ["docker.io/acme/shop:1.2"]),
        ("pkg:docker/acme/shop@1.2?repository_url=ghcr.io", ["ghcr.io/acme/shop:1.2"]),
        ("pkg:npm/%40acme/shop@1.2.3?x=y#z", ["pkg:npm/%40acme/shop@1.2.3"]),
        ("pkg:NPM/@acme/shop@1.2.3", None),
        ("pkg:PyPI/shop@1.2%2B3", ["pkg:pypi/shop@1.2%2B3"]),
    ],
)
def test_an_artifact_has_the_same_ids_however_it_is_written(
    written: str, ids: list[str] | None
) -> None:
    if ids is None:
        with pytest.raises(ArtifactInvalid):
            artifact_ids(written)
    else:
        assert list(artifact_ids(written)) == ids


@pytest.mark.parametrize(
    "written",
    [
        "",
        "  ",
        "x" * 1001,
        "nginx",
        "nginx:latest",
        "ghcr.io/acme/shop",
        "ghcr.io/acme/shop@sha256:abc",
        "ghcr.io/acme/shop@md5:" + "0" * 32,
        "ghcr.io/acme/:1",
        "ghcr.io/a b:1",
        "ghcr.io/acme/shop:",
        "ghcr.io/acme/shop:ü",
        "gh_cr.io/acme/shop:1",
        "pkg:npm/shop",
        "pkg:npm/shop@",
        "pkg:npm",
        "pkg:docker/shop@latest",
        "https://ghcr.io/acme/shop:1",
    ],
)
def test_what_names_no_one_build_is_refused(written: str) -> None:
    with pytest.raises(ArtifactInvalid):
        artifact_ids(written)


def test_what_cannot_be_read_is_passed_over_in_an_event() -> None:
    assert readable_ids(["nginx", DIGEST, "?"]) == (DIGEST,)


@given(st.text(alphabet="abAB:/@.-_%?=&#pkgoci019 é\ud800", max_size=40) | st.text())
def test_ids_are_found_again_by_themselves(written: str) -> None:
    with suppress(ArtifactInvalid):
        for one in artifact_ids(written):
            assert artifact_ids(one)[0] == one


def deployed(*artifacts: str) -> ServiceDeployed:
    return ServiceDeployed(
        key="argo_cd:1:2",
        source="argo_cd",
        at=NOON,
        success=True,
        artifacts=artifacts,
        environment="production",
        application="shop",
        url="https://argo.example.com/applications/shop",
    )


SHOP = Commit("acme/shop", sha(1))


def test_of_what_runs_those_artifacts_count_that_are_known() -> None:
    commits = {"docker.io/acme/shop:1": SHOP, DIGEST: SHOP}
    both = deployed("envoy:1.30", "acme/shop:1", f"acme/shop:2@{DIGEST}", "?")
    assert known_commits(both, commits) == (SHOP,)
    assert known_commits(deployed("envoy:1.30"), commits) == ()


def test_a_digest_counts_before_a_tag() -> None:
    commits = {DIGEST: SHOP, "docker.io/acme/shop:1": Commit("acme/shop", sha(2))}
    assert known_commits(deployed(f"acme/shop:1@{DIGEST}"), commits) == (SHOP,)


@pytest.mark.parametrize("kind", ["github", "gitlab", "bitbucket"])
def test_a_package_url_of_a_repository_is_its_own_commit(kind: str) -> None:
    assert known_commits(deployed(f"pkg:{kind}/acme/shop@{sha(1)}"), {}) == (SHOP,)
    assert known_commits(deployed(f"pkg:{kind}/acme/shop@v1"), {}) == ()


def test_a_deployment_is_an_event_for_each_commit_it_led_to() -> None:
    till = Commit("acme/till", sha(2))
    first, second = as_events(deployed(), [SHOP, till])
    assert (first.repository, first.commit_sha) == SHOP
    assert (second.repository, second.commit_sha) == till
    assert first.key == f"argo_cd:1:2:acme/shop:{sha(1)}"
    assert (first.source, first.workflow, first.environment) == (
        EventSource.ARGO_CD,
        "shop",
        "production",
    )
