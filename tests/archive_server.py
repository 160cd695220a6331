"""A server on this machine that hands out archives and can be cut off; the archives themselves."""

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def tar_of(content: dict[str, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zip_of(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


class Server(ThreadingHTTPServer):
    """Serves ``archives`` by path, else ``archive``; cuts the first ``num_cuts`` answers after ``cut_bytes`` bytes."""

    archive = b""
    num_cuts = 0
    cut_bytes = 100_000
    ranges = True
    status = 0
    daemon_threads = True

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.paths: list[str] = []
        self.archives: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/archive"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.requests.append(asked)
        self.server.paths.append(self.path)
        archive = self.server.archives.get(self.path, self.server.archive)
        if self.server.status:
            return self.send_error(self.server.status)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if asked and start >= len(archive):
            return self.send_error(416)
        body = archive[start:]
        self.send_response(206 if asked and self.server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.num_cuts:
            self.server.num_cuts -= 1
            body = body[: self.server.cut_bytes]
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on standard error."""


@contextmanager
def running() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
