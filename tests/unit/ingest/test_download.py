import hashlib
import http.server
import threading
from functools import partial

import pytest

from bumpflow.ingest.download import DownloadFailed, download_file

CONTENT = b"1,0.5\n" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve one file, and as many failures before it as the server is told."""

    def do_GET(self):
        self.server.n_requests += 1
        if self.path != "/events.csv":
            return self.send_error(404)
        if self.server.failures:
            return self.send_error(self.server.failures.pop())
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:1000] if self.server.cut else CONTENT)
        self.server.cut = max(0, self.server.cut - 1)
        return None

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.n_requests, found.failures, found.cut = 0, [], 0
        found.url = f"http://127.0.0.1:{found.server_port}"
        thread = threading.Thread(target=partial(found.serve_forever, poll_interval=0.01))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "downloads" / "events.csv"


def nothing_left(target):
    return not target.parent.exists() or not [*target.parent.iterdir()]


def test_file_is_fetched_and_its_checksum_returned(server, target):
    assert download_file(f"{server.url}/events.csv", target, sha256=SHA256) == SHA256
    assert target.read_bytes() == CONTENT
    assert [*target.parent.iterdir()] == [target]


def test_without_checksum_anything_goes(server, target):
    assert download_file(f"{server.url}/events.csv", target, sha256=None) == SHA256


def test_wrong_checksum_keeps_nothing(server, target):
    message = f"{server.url}/events.csv has the sha256 {SHA256}, not {'0' * 64}: nothing was"
    with pytest.raises(DownloadFailed, match=message):
        download_file(f"{server.url}/events.csv", target, sha256="0" * 64)
    assert nothing_left(target)
    assert server.n_requests == 1


def test_missing_file_is_not_tried_again(server, target):
    message = rf"cannot fetch {server.url}/none \(HTTP 404 Not Found; attempt 1 of 3\): .* place it at {target}"
    with pytest.raises(DownloadFailed, match=message):
        download_file(f"{server.url}/none", target, sha256=None)
    assert nothing_left(target)
    assert server.n_requests == 1


@pytest.mark.parametrize("trouble", [{"failures": [503, 500]}, {"cut": 2}])
def test_passing_trouble_is_outlasted(trouble, server, target):
    vars(server).update(trouble)
    waited = []
    download_file(f"{server.url}/events.csv", target, sha256=SHA256, wait=waited.append)
    assert target.read_bytes() == CONTENT
    assert waited == [1.0, 2.0]
    assert server.n_requests == 3


def test_lasting_trouble_ends_after_the_last_attempt(server, target):
    server.cut = 9
    with pytest.raises(DownloadFailed, match=r"ended after 1000 of 600000 bytes; attempt 3 of 3"):
        download_file(f"{server.url}/events.csv", target, sha256=None, wait=lambda _: None)
    assert nothing_left(target)


def test_refused_connection_says_what_to_do_offline(server, target):
    url = f"http://127.0.0.1:{server.server_port}/events.csv"
    server.shutdown()
    server.server_close()
    waited = []
    with pytest.raises(DownloadFailed) as error:
        download_file(url, target, sha256=None, wait=waited.append)
    assert "refused" in str(error.value)
    assert (
        f"without network, fetch it elsewhere, place it at {target} and run again, or choose a"
        " dataset that ships with the workflow" in str(error.value)
    )
    assert waited == [1.0, 2.0]
    assert nothing_left(target)
