"""Runs nginx, HAProxy and Caddy with the configurations in deploy/fronts, for the tests and the benchmark."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ssechat.processes import die_with_parent

from . import processes
from .errors import BenchError

CONFIGURATIONS = Path(__file__).parent.parent.parent / "deploy" / "fronts"
KINDS = ("nginx", "haproxy", "caddy")
NAME = "localhost"
HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 10.0


class Front:
    """A reverse proxy in front of two app servers. As a context manager it is closed at the end.

    It can be stopped and restarted, on the same port and with the same log.
    """

    def __init__(
        self, kind: str, folder: Path, apps: Sequence[str], *, seconds: int = 75, reload_seconds: int = 30
    ) -> None:
        """`apps` are two addresses with ports; `folder` is for this proxy. The times replace the configuration's."""
        self.kind = kind
        self.folder = folder
        folder.mkdir()
        self.certificate = make_certificate(folder)
        self.port, plain, admin = free_ports(3)
        self.plain_port = plain
        self.url = f"https://{NAME}:{self.port}"
        self.log = folder / "log"
        """Its access log (stdout) and its error log (stderr)."""
        self._admin = f"{HOST}:{admin}"
        self._environment = {
            "FRONT_ADDRESS": HOST,
            "FRONT_PORT": str(self.port),
            "FRONT_HTTP_PORT": str(plain),
            "FRONT_CERTIFICATE": str(self.certificate),
            "FRONT_APP_1": apps[0],
            "FRONT_APP_2": apps[-1],
            "FRONT_SECONDS": str(seconds),
            "FRONT_RELOAD_SECONDS": str(reload_seconds),
            "FRONT_RUN": str(folder),
            # Caddy's names of the same settings, and its folders.
            "FRONT_HOST": NAME,
            "FRONT_TLS": f"{self.certificate} {self.certificate}",
            "FRONT_ADMIN": self._admin,
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }
        self._configuration = self._fill_in()
        self._process: subprocess.Popen[bytes] | None = None
        self._family: dict[int, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _fill_in(self) -> Path:
        shipped = CONFIGURATIONS / {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}[self.kind]
        if self.kind != "nginx":
            return shipped
        names = [name for name in self._environment if name.startswith("FRONT_")]
        filled = self.folder / "nginx.conf"
        with shipped.open("rb") as template, filled.open("wb") as output:
            wanted = " ".join(f"${name}" for name in names)
            subprocess.run(["envsubst", wanted], stdin=template, stdout=output, env=self._all(), check=True)
        return filled

    def _all(self) -> Mapping[str, str]:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # Debian's folder of nginx and haproxy
        return {**os.environ, "PATH": path, **self._environment}

    @property
    def _command(self) -> list[str]:
        configuration = str(self._configuration)
        return {
            "nginx": ["nginx", "-e", "stderr", "-c", configuration, "-g", "daemon off;"],
            "haproxy": ["haproxy", "-W", "-f", configuration],
            "caddy": ["caddy", "run", "--config", configuration, "--adapter", "caddyfile"],
        }[self.kind]

    def start(self) -> None:
        """Starts the proxy, and waits until it listens.

        Raises:
            BenchError: it does not start.
        """
        program = shutil.which(self._command[0], path=self._all()["PATH"])
        if program is None:
            raise BenchError(f"there is no {self.kind} on the PATH; `bash tests/run` installs it")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, *self._command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._all(),
                process_group=0,
                preexec_fn=die_with_parent(),
            )
        try:
            self._wait_listening()
        except BaseException:
            self.close()
            raise

    def _wait_listening(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self.listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self.kind} does not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        self._remember()

    def listens(self) -> bool:
        """Whether it accepts TLS connections."""
        try:
            with (
                socket.create_connection((HOST, self.port), timeout=2) as plain,
                self.trust().wrap_socket(plain, server_hostname=NAME),
            ):
                return True
        except OSError:
            return False

    def trust(self, *protocols: str) -> ssl.SSLContext:
        """The TLS context of a client that trusts only this proxy's certificate, and offers these protocols (ALPN, RFC
        7301)."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    @property
    def pids(self) -> list[int]:
        """The ids of the process and its children."""
        assert self._process is not None
        return [self._process.pid, *processes.descendants(self._process.pid)]

    def _remember(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._family |= {pid: processes.command(pid) for pid in processes.descendants(self._process.pid)}

    def reload(self) -> None:
        """Reloads the configuration, as the manual describes.

        Raises:
            subprocess.CalledProcessError: the proxy refused.
        """
        assert self._process is not None
        self._remember()
        if self.kind == "nginx":
            self._process.send_signal(signal.SIGHUP)  # as `nginx -s reload` does
        elif self.kind == "haproxy":
            self._process.send_signal(signal.SIGUSR2)
        else:
            command = ["caddy", "reload", "--force", "--config", str(self._configuration), "--adapter", "caddyfile"]
            subprocess.run(
                [*command, "--address", self._admin], env=self._all(), check=True, capture_output=True, timeout=60
            )
        self._remember()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stops the proxy, and kills its remaining processes."""
        if self._process is None:
            return
        self._remember()
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid, command in self._family.items():
            if command and processes.command(pid) == command:
                os.kill(pid, signal.SIGKILL)
        self._family.clear()
        self._process = None

    def close(self) -> None:
        """Stops the proxy for good."""
        self.stop()


class ChangedFront(Front):
    """A front whose configuration differs from the shipped one: each text of it is replaced by another."""

    def __init__(self, kind: str, folder: Path, apps: Sequence[str], changes: Sequence[tuple[str, str]]) -> None:
        """`changes`: a text of the configuration and what takes its place, in which `{folder}` is the front's."""
        self._changes = changes
        super().__init__(kind, folder, apps)

    def _fill_in(self) -> Path:
        shipped = super()._fill_in()
        text = shipped.read_text()
        for old, new in self._changes:
            if old not in text:
                raise BenchError(f"the shipped configuration has no {old!r}")
            text = text.replace(old, new.replace("{folder}", str(self.folder)))
        changed = self.folder / f"changed-{shipped.name}"
        changed.write_text(text)
        return changed


def make_certificate(
    folder: Path, *, left: timedelta = timedelta(days=2), life: timedelta = timedelta(days=2, hours=1)
) -> Path:
    """Creates a file with a self-signed certificate for `localhost` and its key; so much is left of its life."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    ends = datetime.now(UTC) + left
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - life)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "chat.pem"
    path.touch(mode=0o600)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def free_ports(count: int) -> list[int]:
    """Ports that are free at the moment."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
