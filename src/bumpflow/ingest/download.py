"""Fetch a file by URL, whole and with the right checksum, or not at all."""

import hashlib
import logging
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from bumpflow import io

log = logging.getLogger(__name__)

CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # s without any data


class DownloadFailed(RuntimeError):
    """A file could not be fetched; the message says why, and what to do without network."""


def download_file(
    url: str,
    path: Path,
    *,
    sha256: str | None,
    attempts: int = 3,
    wait: Callable[[float], None] = time.sleep,
) -> str:
    """Fetch ``url`` to ``path`` and return its SHA-256 checksum.

    A broken connection and a server's own fault (5xx) are tried again after 1 s, 2 s, 4 s ...;
    anything else fails at once.

    Args:
        url: What to fetch.
        path: Where to put it; it appears when it is complete and its checksum right.
        sha256: Its checksum; None takes whatever comes.
        attempts: How often to try.
        wait: Called with the seconds to wait before the next attempt.

    Raises:
        DownloadFailed: If the file cannot be had, or is not the one expected.
    """
    for attempt in range(1, attempts + 1):
        try:
            found = _fetch(url, path, sha256)
        except (URLError, HTTPException, OSError) as error:
            final = isinstance(error, HTTPError) and error.code < 500
            log.warning("%s, attempt %d of %d: %s", url, attempt, attempts, _reason(error))
            if final or attempt == attempts:
                msg = (
                    f"cannot fetch {url} ({_reason(error)}; attempt {attempt} of {attempts}):"
                    f" {_by_hand(path)}"
                )
                raise DownloadFailed(msg) from error
            wait(2.0 ** (attempt - 1))
        else:
            log.info("%s: fetched, sha256 %s", path, found)
            return found
    msg = f"attempts must be at least 1, not {attempts}"
    raise ValueError(msg)


def _fetch(url: str, path: Path, sha256: str | None) -> str:
    """Fetch once; OSError if the connection breaks."""
    digest = hashlib.sha256()
    request = Request(url, headers={"User-Agent": "bumpflow"})
    with io.atomic(path) as part, urlopen(request, timeout=TIMEOUT) as answer:
        size, received = answer.headers.get("Content-Length"), 0
        with part.open("wb") as file:
            while chunk := answer.read(CHUNK):
                digest.update(chunk)
                received += file.write(chunk)
        if size is not None and received != int(size):
            msg = f"the connection ended after {received} of {size} bytes"
            raise URLError(msg)
        if sha256 is not None and digest.hexdigest() != sha256:
            msg = (
                f"{url} has the sha256 {digest.hexdigest()}, not {sha256}: nothing was kept;"
                " check the dataset's `url` and `sha256`"
            )
            raise DownloadFailed(msg)
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", error))


def _by_hand(path: Path) -> str:
    return (
        f"without network, fetch it elsewhere, place it at {path} and run again, or choose a"
        " dataset that ships with the workflow"
    )
