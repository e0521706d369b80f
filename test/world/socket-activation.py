"""What systemd does for kiwistack-agent, in a room that has no systemd: listens, and starts the program when somebody connects.

usage: socket-activation.py SOCKET PROGRAM [ARGUMENT...]
Says on stdout when it listens, and on stderr "started" and "ended CODE" as the program comes and goes.
"""
import os, select, socket, sys

path, *argv = sys.argv[1:]
os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
os.chmod(path, 0o666)
listener.listen(128)
print('{"type":"ready"}', flush=True)
while True:
    select.select([listener], [], [])
    print('started', file=sys.stderr, flush=True)
    child = os.fork()
    if child == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        environment = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}
        os.execve(argv[0], argv, environment)
    print('ended', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.stderr, flush=True)
