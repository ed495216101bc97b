"""Names that are suggested while one is typed."""

import pytest
from tests.server import LiveServer
from tests.shops import Shop
from tests.web.people import Person

from shipmark.application.search import MOST_SUGGESTED


def suggested(person: Person, noun: str, part: str) -> list[str]:
    names: list[str] = person.get(f"/suggestions/{noun}", q=part).json()
    return names


def test_names_are_suggested_of_what_is_there(person: Person, shop: Shop) -> None:
    own = f"x{shop.number}x"
    shop.merge(1, author=f"Ines {own}")
    shop.deploy(environment=f"eu-{own}", source_name=f"Jenkins {own}")
    shop.deploy(2, environment=f"eu-{own}")
    assert suggested(person, "service", shop.service.upper()) == [shop.service]
    assert suggested(person, "repository", shop.repository.upper()) == [shop.repository]
    assert suggested(person, "environment", own) == [f"eu-{own}"]
    assert suggested(person, "source", f"jenkins {own}") == [f"Jenkins {own}"]
    assert suggested(person, "author", f"INES {own}") == [f"Ines {own}"]
    assert suggested(person, "author", f"nobody {own}") == []


def test_those_that_begin_so_come_first_and_case_is_that_of_any_language(
    person: Person, shop: Shop
) -> None:
    for name in ("b-ÄPFEL", "äpfel-b", "Äpfel-a"):
        shop.deploy(service=f"{name}-{shop.number}")
    found = suggested(person, "service", "Äpfel")
    assert [one for one in found if one.endswith(f"-{shop.number}")] == [
        f"{name}-{shop.number}" for name in ("Äpfel-a", "äpfel-b", "b-ÄPFEL")
    ]


def test_no_more_are_suggested_than_can_be_looked_over(person: Person, shop: Shop) -> None:
    for number in range(MOST_SUGGESTED + 2):
        shop.deploy(service=f"many-{shop.number}-{number}")
    assert len(suggested(person, "service", f"many-{shop.number}-")) == MOST_SUGGESTED


def test_nothing_is_suggested_of_what_has_no_names(person: Person) -> None:
    assert person.get("/suggestions/token").status_code == 404


@pytest.mark.parametrize("noun", ["service", "author"])
def test_who_is_not_signed_in_is_told_no_names(server: LiveServer, noun: str) -> None:
    with Person(server) as stranger:
        answer = stranger.get(f"/suggestions/{noun}", q="a")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/sign-in")
