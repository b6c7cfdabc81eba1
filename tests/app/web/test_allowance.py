"""The limit of requests of each visitor, and who the visitor is."""

import contextlib

import pytest

from fkp_app.errors import UsageError
from fkp_app.web.addresses import check_proxy, visitor_of
from fkp_app.web.allowance import Allowance
from fkp_app.web.gate import Gate
from fkp_app.web.limits import JOIN, UPLOAD, RefusedError
from fkp_app.web.visits import Visits

ONE, OTHER, PROXY = "192.0.2.1", "192.0.2.2", "10.0.0.1"


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


def let_through(allowance, address, times=1):
    """How many of so many requests are let through."""
    count = 0
    for _ in range(times):
        with contextlib.suppress(RefusedError):
            allowance.take(address)
            count += 1
    return count


def test_some_at_once_and_then_so_many_per_second():
    clock = Clock()
    allowance = Allowance(at_once=10, per_second=2, clock=clock)
    assert let_through(allowance, ONE, 50) == 10
    clock.now = 3.0
    assert let_through(allowance, ONE, 50) == 6
    clock.now = 1000.0  # what was not used does not add up
    assert let_through(allowance, ONE, 50) == 10


def test_who_asks_in_time_is_never_refused():
    clock = Clock()
    allowance = Allowance(at_once=1, per_second=2, clock=clock)
    for i in range(100):
        clock.now = i / 2
        assert let_through(allowance, ONE) == 1


def test_a_refusal_says_how_long_to_wait_and_after_that_the_request_is_let_through():
    clock = Clock()
    allowance = Allowance(at_once=2, per_second=0.25, clock=clock)
    assert let_through(allowance, ONE, 2) == 2
    clock.now = 0.5
    with pytest.raises(RefusedError, match="too many requests at once; try again in 4 s") as refused:
        allowance.take(ONE)
    assert (refused.value.status, refused.value.wait) == (429, 4)
    clock.now += refused.value.wait
    allowance.take(ONE)


def test_one_visitors_requests_count_for_nobody_else():
    allowance = Allowance(at_once=3, clock=Clock())
    assert let_through(allowance, ONE, 9) == 3
    assert let_through(allowance, OTHER, 9) == 3
    assert let_through(allowance, "127.0.0.1", 999) == 999  # this machine


def test_a_million_addresses_take_little_memory_and_the_newest_are_remembered():
    clock = Clock()
    allowance = Allowance(at_once=1, most_addresses=100, clock=clock)
    for i in range(1000):
        assert let_through(allowance, f"10.0.{i // 256}.{i % 256}") == 1
    assert len(allowance._full_again) == 100
    assert let_through(allowance, "10.0.3.231") == 0
    assert let_through(allowance, "10.0.0.0") == 1


def scope(client, *forwarded):
    headers = [(b"host", b"a.example"), *((b"x-forwarded-for", one.encode()) for one in forwarded)]
    return {"client": client and (client, 1234), "headers": headers}


@pytest.mark.parametrize(
    ("client", "forwarded", "proxy", "visitor"),
    [
        (ONE, [], None, ONE),
        (ONE, [OTHER], None, ONE),
        ("127.0.0.1", [OTHER], None, "127.0.0.1"),
        (None, [], None, ""),
        ("::ffff:192.0.2.1", [], None, ONE),
        ("::1", [], None, "::1"),
        ("2001:db8:1:2:3:4:5:6", [], None, "2001:db8:1:2::/64"),
        (PROXY, [OTHER], PROXY, OTHER),
        (f"::ffff:{PROXY}", [OTHER], PROXY, OTHER),
        (PROXY, [f"8.8.8.8, {OTHER}"], PROXY, OTHER),
        (PROXY, ["8.8.8.8", OTHER], PROXY, OTHER),
        (PROXY, ["2001:db8::7"], PROXY, "2001:db8::/64"),
        (PROXY, [], PROXY, ""),
        (PROXY, ["nobody"], PROXY, ""),
        (PROXY, [f"{OTHER}, 127.0.0.1"], PROXY, ""),
        (ONE, [OTHER], PROXY, ONE),
    ],
)
def test_who_the_visitor_is(client, forwarded, proxy, visitor):
    """Only what the proxy itself has written counts, and nobody can pass for this machine by it."""
    assert visitor_of(scope(client, *forwarded), proxy) == visitor


def test_a_proxy_that_is_no_address_is_one_line():
    check_proxy(None)
    check_proxy("10.0.0.1")
    with pytest.raises(UsageError, match="--proxy nginx: is no IP address"):
        check_proxy("nginx")


def test_the_gate_counts_uploads_and_choices_of_each_visitor_and_nothing_else(tmp_path):
    """The page shows the JSON of a refused choice, and the text of a refused upload, to its visitor."""
    client_of = pytest.importorskip("starlette.testclient", reason="Gradio is not installed").TestClient

    async def inner(scope, _, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})

    gate = Gate(inner, None, {}, Visits(tmp_path), PROXY, allowance=Allowance(at_once=4, per_second=0.01))
    client = client_of(gate, client=(PROXY, 1))

    def status(address, path, **body):
        return client.post(path, headers={"X-Forwarded-For": address}, **body).status_code

    photo = {"files": {"files": ("a.png", b"x")}}
    assert [status(ONE, UPLOAD, **photo), status(ONE, JOIN, json={})] == [200, 404]  # there is no such event
    for _ in range(9):
        assert client.get("/config", headers={"X-Forwarded-For": ONE}).text == ONE
    assert [status(ONE, UPLOAD, **photo), status(ONE, JOIN, json={})] == [200, 404]
    assert [status(ONE, UPLOAD, **photo), status(ONE, JOIN, json={})] == [429, 429]
    assert status(OTHER, UPLOAD, **photo) == 200
    refused = client.post(JOIN, json={}, headers={"X-Forwarded-For": ONE})
    assert refused.json() == {"detail": f"too many requests at once; try again in {refused.headers['retry-after']} s"}
    refused = client.post(UPLOAD, headers={"X-Forwarded-For": ONE}, **photo)
    assert refused.text == f"too many requests at once; try again in {refused.headers['retry-after']} s\n"
