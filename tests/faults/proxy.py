"""A TCP proxy that cuts, delays, refuses or freezes what passes through it."""

import contextlib
import socket
import threading
import time


class Proxy:
    """Listens on a loopback port and forwards to another one."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._frozen: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._refusing = False
        self._held_until = 0.0
        threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True).start()

    def cut(self) -> int:
        """Close every connection with a reset; returns how many there were."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._close(pair)
        return len(pairs)

    def refuse(self, seconds: float) -> None:
        """Cut everything and let nobody in for a while."""
        self._refusing = True
        self.cut()
        time.sleep(seconds)
        self._refusing = False

    def hold(self, seconds: float) -> None:
        """Let no byte pass for a while; none is lost."""
        self._held_until = time.monotonic() + seconds
        time.sleep(seconds)

    def freeze(self) -> int:
        """Make present connections silent for ever while they look open; new ones work. Returns how many."""
        with self._lock:
            for pair in self._pairs:
                self._frozen.update(pair)
            return len(self._pairs)

    def close(self) -> None:
        """Stop."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            for source, sink in (pair, pair[::-1]):
                # The other direction may have ended, and closed both, already.
                with contextlib.suppress(OSError):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=(source, sink, pair), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        try:
            while data := source.recv(65536):
                while time.monotonic() < self._held_until:
                    time.sleep(0.01)
                if source not in self._frozen:
                    sink.sendall(data)
        except OSError:
            pass
        finally:
            self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
            self._frozen.difference_update(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
