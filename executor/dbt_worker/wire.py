"""Messages between heddle and this process: JSON, one a line (protocol: __init__.py)."""
import array
import json
import os
import queue
import socket
import threading


def dumps(value):
    return json.dumps(value, default=str, separators=(",", ":"), ensure_ascii=False)


class Lines:
    """Messages over a socket. Any thread may send; one thread receives."""

    def __init__(self, sock):
        sock.set_inheritable(False)
        self.sock = sock
        self.lock = threading.Lock()
        self.rest = b""
        self.fds = []                      # came with the message just received

    def send(self, **message):
        data = dumps(message).encode("utf-8", "replace") + b"\n"
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError:
            pass                           # the reader will see the end of file

    def receive(self):
        """The next message, or None at the end of file."""
        self.fds = []
        while b"\n" not in self.rest:
            room = socket.CMSG_SPACE(64 * array.array("i").itemsize)
            try:
                data, extra, _, _ = self.sock.recvmsg(1 << 16, room)
            except OSError:
                return None
            if not data:
                return None
            self.rest += data
            for level, kind, payload in extra:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
                    self.fds.extend(fds)
        line, self.rest = self.rest.split(b"\n", 1)
        for fd in self.fds:
            os.set_inheritable(fd, False)
        return json.loads(line.decode("utf-8", "surrogateescape"))


class Control(Lines):
    """The control socket. A thread of its own receives, so that a cancel or the end of heddle is
    seen while dbt is busy; what the main thread waits for goes through the inbox."""

    def __init__(self, sock):
        super().__init__(sock)
        self.inbox = queue.Queue()         # of (message, descriptors)
        self.on_cancel = None              # set once nodes may run
        self.on_end = None                 # set once queries may run; False: ending by itself
        threading.Thread(target=self.listen, name="control", daemon=True).start()

    def listen(self):
        while True:
            message = self.receive()
            if message is None:
                break
            if message["op"] == "cancel":
                if self.on_cancel:
                    self.on_cancel((message["id"], message["attempt"]))
            else:
                self.inbox.put((message, self.fds))
        if self.on_end is False:
            return
        try:
            if self.on_end:
                self.on_end()
        finally:
            os._exit(2)

    def wait(self, op):
        message, fds = self.inbox.get()
        if message["op"] != op:
            raise RuntimeError("expected '%s', got '%s'" % (op, message["op"]))
        return message, fds
