"""Who may ask: the page itself, on this machine or with the token, and nobody else."""

import http.client

import pytest
from studio_server import running
from websockets.exceptions import InvalidStatus

from minicosm.studio.config import Limits, StudioConfig
from minicosm.studio.rates import Bucket, Buckets


def status(server, headers, path="/api/hello"):
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    link.putrequest("GET", path, skip_host=True)
    for name, value in headers:
        link.putheader(name, value)
    link.endheaders()
    answer = link.getresponse()
    answer.read()
    link.close()
    return answer.status


def test_the_page_is_served_with_its_guards(server):
    answer = server.ask("/")
    assert answer.status == 200 and b"minicosm" in answer.body
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.ask("/static/main.js").headers["content-type"].startswith("text/javascript")
    for name in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2f..%2fcli.py", "/static//etc/passwd"):
        assert server.ask(name).status == 404


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_by_its_own_names(server, name):
    assert status(server, [("Host", f"{name}:{server.port}")]) == 200
    assert status(server, [("Host", name)]) == 200  # through a tunnel, say


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::2", "127.0.0.1@evil"]
)
def test_other_names_for_this_machine_are_refused(server, name):
    """A page of a foreign site that gives its own name this machine's address (DNS rebinding)."""
    assert status(server, [("Host", name)]) == 400


def test_other_pages_are_refused(server, lander):
    here = ("Host", f"127.0.0.1:{server.port}")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://localhost:{server.port}"):
        assert status(server, [here, ("Origin", origin)]) == 403
        with pytest.raises(InvalidStatus), server.socket(additional_headers={"Origin": origin}):
            pass
    for site in ("cross-site", "same-site"):
        assert status(server, [here, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors")]) == 403
        assert status(server, [here, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate")], "/") == 200
    assert status(server, [here, ("Origin", f"http://127.0.0.1:{server.port}")]) == 200
    plain = {"content-type": "text/plain"}  # what a form of another site can send without asking
    assert server.ask("/api/levels/x", {"level": lander}, "PUT", plain).status == 400


def test_other_addresses_need_a_token(tmp_path):
    for host in ("0.0.0.0", "192.168.1.4", "::", "studio.example"):
        with pytest.raises(ValueError, match="there is no token"):
            StudioConfig(host=host)
        assert not StudioConfig(host=host, token="s3cret-enough").is_local
    assert StudioConfig(host="127.0.0.2").is_local
    for token in ("short", "with space in it", "ünïcödé-letters"):
        with pytest.raises(ValueError, match="token has"):
            StudioConfig(token=token)
    with pytest.raises(ValueError, match="port is 70000"):
        StudioConfig(port=70000)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="which is a file"):
        StudioConfig(levels=file)


def test_a_token_lets_in_and_moves_to_a_cookie(tmp_path):
    with running(tmp_path / "levels", host="0.0.0.0", token="abcdef-123456") as server:
        assert server.ask("/api/hello").status == 401
        assert server.ask("/?token=wrong-wrong").status == 401
        assert server.ask("/api/hello?token=abcdef-123456").status == 200
        assert server.ask("/api/hello", headers={"Authorization": "Bearer abcdef-123456"}).status == 200
        visit = server.ask("/?token=abcdef-123456")
        assert visit.status == 303 and visit.headers["location"] == "/"
        cookie = visit.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert server.ask("/", headers={"Cookie": cookie.split(";")[0]}).status == 200
        with pytest.raises(InvalidStatus), server.socket():
            pass
        with server.socket(additional_headers={"Cookie": cookie.split(";")[0]}) as link:
            link.hear("ready")


def test_too_many_requests_are_put_off(tmp_path):
    with running(tmp_path / "levels", limits=Limits(requests_per_second=1, burst=5)) as server:
        statuses = [server.ask("/api/hello").status for _ in range(8)]
    assert statuses[:5] == [200] * 5 and 429 in statuses[5:]


def test_buckets_refill_and_forget():
    now = [0.0]
    bucket = Bucket(2.0, 3.0, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.6
    assert [bucket.take(), bucket.take()] == [True, False]
    buckets = Buckets(0.001, 1.0)
    assert buckets.take("a") and not buckets.take("a") and buckets.take("b")
    for i in range(2000):
        buckets.take(str(i))
    assert buckets.take("a")  # forgotten, so that memory stays bounded


def test_limits_must_be_above_zero():
    with pytest.raises(ValueError, match="Limits.sessions is 0"):
        Limits(sessions=0)
