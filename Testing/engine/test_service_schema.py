"""Requests made up from the service's own description: whatever comes, the answer is one that the description knows."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from service_running import TOKEN, running

from msam.protocol.names import Code
from msam.service.app import create_app
from msam.service.settings import Settings

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
OPERATIONS = [
    found.ok() for found in schemathesis.openapi.from_dict(create_app(Settings()).openapi()).get_all_operations()
]
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)


@pytest.fixture(scope="module")
def url():
    with running(body_seconds=2.0) as (endpoint, _):
        yield endpoint.url


def ask(url, operation, examples, headers, look):
    @given(case=operation.as_strategy())
    @settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
    def run(case):
        look(case, case.call(base_url=url, headers=headers, timeout=10))

    run()


@EVERY
def test_no_request_makes_the_service_stumble(url, operation):
    ask(url, operation, 25, AUTHORISED, lambda case, response: case.validate_response(response, checks=CHECKS))


@EVERY
def test_no_request_gets_in_without_the_token(url, operation):
    def refused(case, response):
        assert response.status_code == Code.UNAUTHORISED.status

    ask(url, operation, 3, {"Authorization": "Bearer wrong"}, refused)
