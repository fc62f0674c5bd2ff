"""Descriptions of slots: the default says what stands out; an endpoint is asked over HTTP."""

import http.server
import json
import threading

import numpy as np
import pytest

from nsca_jax.grounding import describe

CHANNELS = ("drop: bounce", "strike: pitch", "lift: load")


def _examples(seed=0):
    """100 things; the slot follows the second outcome alone, some of which were never measured."""
    rng = np.random.default_rng(seed)
    outcome = rng.normal(size=(100, 3))
    slot = outcome[:, 1].copy()
    outcome[rng.random((100, 3)) < 0.2] = np.nan
    return describe.top_examples(slot, outcome, CHANNELS, 8)


@pytest.fixture
def server():
    """(address, what was asked, what to answer) of a local server that speaks the protocol."""
    asked, answer = [], {"status": 200, "body": None}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            asked.append((self.path, dict(self.headers), json.loads(self.rfile.read(length))))
            told = answer["body"] or {"choices": [{"message": {"content": " rings\n high "}}]}
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(told if isinstance(told, bytes) else json.dumps(told).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/v1", asked, answer
        httpd.shutdown()


def test_top_examples_are_those_that_fill_the_slot_most():
    outcome = np.arange(12.0).reshape(6, 2)
    examples = describe.top_examples(np.array([0, 5, 1, 4, 2, 3]), outcome, ("a", "b"), 2)
    expected = (outcome - outcome.mean(0)) / outcome.std(0)
    np.testing.assert_allclose(examples.departure, expected[[1, 3]])


def test_it_names_the_outcome_that_stands_out_and_no_other():
    told = describe.statistical(_examples())
    assert told.startswith("strike: pitch +")
    assert "bounce" not in told
    assert "load" not in told


def test_it_says_so_where_nothing_stands_out():
    flat = describe.Examples(CHANNELS, np.full((4, 3), 0.1))
    unseen = describe.Examples(CHANNELS, np.full((4, 3), np.nan))
    for examples in (flat, unseen):
        assert describe.statistical(examples) == "nothing that was measured stands out"


def test_examples_of_a_slot_that_follows_nothing_are_usual():
    rng = np.random.default_rng(1)
    outcome = rng.normal(size=(4000, 3))
    examples = describe.top_examples(rng.normal(size=4000), outcome, CHANNELS, 100)
    assert describe.statistical(examples) == "nothing that was measured stands out"


@pytest.mark.parametrize("k", [0, 7])
def test_too_many_examples_are_refused(k):
    with pytest.raises(ValueError, match="examples"):
        describe.top_examples(np.arange(6.0), np.zeros((6, 3)), CHANNELS, k)


def test_an_endpoint_gets_the_figures_and_the_key_and_gives_one_line(server):
    url, asked, _ = server
    where = describe.Endpoint(url + "/", "some-model", 5.0)
    assert describe.endpoint(where, "secret")(_examples()) == "rings high"
    assert describe.endpoint(where)(_examples()) == "rings high"
    (path, headers, body), (_, without, _) = asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in without
    assert body["model"] == "some-model"
    content = body["messages"][0]["content"]
    assert "strike: pitch +" in content
    assert "nan" not in content


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (200, b"no json"), (200, {"choices": []}), (200, {"choices": [3]}),
     (200, {"choices": [{"message": {"content": " "}}]})],
)  # fmt: skip
def test_an_endpoint_that_gives_nothing_is_told_in_one_sentence(server, status, body):
    url, _, answer = server
    answer.update(status=status, body=body)
    with pytest.raises(describe.DescriberError, match="gave"):
        describe.endpoint(describe.Endpoint(url, "m", 5.0))(_examples())


def test_nobody_at_the_address():
    where = describe.Endpoint("http://127.0.0.1:9/v1", "m", 1.0)
    with pytest.raises(describe.DescriberError, match=r"127\.0\.0\.1:9"):
        describe.endpoint(where)(_examples())
