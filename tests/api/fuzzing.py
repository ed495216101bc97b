"""How hard to try, and what every answer must be."""

import httpx
from hypothesis import HealthCheck, settings
from tests.server import refused, succeeded

few = settings(
    max_examples=settings.default.max_examples // 10,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)


def understood(response: httpx.Response) -> bool:
    """Check the answer's shape; whether it is a success."""
    assert response.status_code < 500, response.text
    if response.headers["content-type"].startswith("text/csv"):
        return response.status_code == 200
    if response.status_code == 200:
        return bool(succeeded(response)["ok"])
    assert refused(response).status in {400, 401, 403, 404, 405, 409, 413, 422}
    return False
