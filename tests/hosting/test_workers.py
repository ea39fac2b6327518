"""The supervisor and its workers, as processes: readiness, deaths, and stopping in good order."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest


def test_it_is_ready_once_all_workers_answer_and_stops_in_good_order(start):
    server = start().wait_ready()
    assert server.pid not in server.worker_pids(2)
    server.process.send_signal(signal.SIGTERM)
    output, code = server.rest()
    assert code == 0
    assert output.count('"stopped"') == 2
    assert "Traceback" not in output


def interrupt_the_group(server):
    os.killpg(server.process.pid, signal.SIGINT)


def terminate_the_parent(server):
    server.process.terminate()


def kill_the_parent(server):
    server.process.kill()


@pytest.mark.parametrize("stop", [interrupt_the_group, terminate_the_parent, kill_the_parent])
def test_a_request_under_way_is_answered_before_the_end(start, stop):
    server = start().wait_ready()
    connection = server.open("/slow")
    server.told("slow")
    stop(server)
    assert connection.getresponse().status == 200
    connection.close()
    output, code = server.rest()  # ends only when every worker has
    assert code == (-signal.SIGKILL if stop is kill_the_parent else 0)
    assert "Traceback" not in output
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_workers_end_with_a_parent_that_is_killed_though_one_is_stuck(start):
    server = start(limits={"graceful_seconds": 0}).wait_ready()
    with contextlib.closing(server.open("/stuck")):
        server.told("slow")
        kill_the_parent(server)
        output, code = server.rest()  # ends only when every worker has
    assert code == -signal.SIGKILL
    assert "Traceback" not in output


def test_a_worker_that_hangs_is_ended_and_replaced(start):
    server = start(look_seconds=0.5, limits={"sweep_seconds": 0.05}).wait_ready()
    before = server.worker_pids(2)
    with contextlib.closing(server.open("/stuck")):
        hanging = server.told("slow")["slow"]
        while server.worker_pids(2) & {hanging}:
            pass
    assert server.worker_pids(2) & before == before - {hanging}
    server.process.terminate()
    output, code = server.rest()
    assert code == 0
    assert "a child process hangs and is ended" in output


def test_who_serves_the_workers_is_replaced_when_it_stands_still(start):
    server = start(beside=True, look_seconds=0.5, limits={"sweep_seconds": 0.05}).wait_ready()
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    before = set(children.read_text().split())
    (beside,) = before - {str(pid) for pid in server.worker_pids(2)}
    os.kill(int(beside), signal.SIGSTOP)
    while "a child process hangs and is ended" not in (line := server.process.stdout.readline()):
        pass
    assert "beside" in line
    while len(after := set(children.read_text().split())) < len(before) or beside in after:
        pass
    assert after > before - {beside}
    server.process.terminate()
    assert server.rest()[1] == 0


def test_connections_at_rest_do_not_hold_up_the_end(start):
    server = start().wait_ready()
    raw = socket.create_connection(("127.0.0.1", server.port))
    idle = server.context.wrap_socket(raw, server_hostname="localhost")
    idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert idle.recv(10)
    server.process.terminate()
    server.process.wait(5)  # the client neither reads nor says good-bye
    idle.close()


def test_who_serves_the_workers_is_stopped_last(start):
    server = start(beside=True).wait_ready()
    connection = server.open("/slow")
    server.told("slow")
    server.process.terminate()
    assert connection.getresponse().status == 200
    connection.close()
    output, code = server.rest()
    assert code == 0
    assert output.count('"stopped"') == 2
    assert output.index('"ended"') > output.rindex('"stopped"')


def test_who_serves_the_workers_is_replaced_and_not_exchanged(start):
    server = start(beside=True).wait_ready()
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    before = set(children.read_text().split())
    (beside,) = before - {str(pid) for pid in server.worker_pids(2)}
    server.process.send_signal(signal.SIGHUP)
    while "reloaded" not in server.process.stdout.readline():
        pass
    assert beside in children.read_text().split()
    os.kill(int(beside), signal.SIGKILL)
    while "a child process died and is replaced" not in (line := server.process.stdout.readline()):
        pass
    assert "beside" in line
    server.process.terminate()
    assert server.rest()[1] == 0


def test_a_request_that_takes_too_long_is_cut_without_an_answer(start):
    server = start(limits={"graceful_seconds": 1}).wait_ready()
    connection = server.open("/endless")
    server.told("slow")
    server.process.terminate()
    with pytest.raises(ConnectionError):
        connection.getresponse()
    connection.close()
    assert server.rest()[1] == 0


def test_a_second_interrupt_ends_at_once(start):
    server = start().wait_ready()
    connection = server.open("/endless")
    server.told("slow")
    interrupt_the_group(server)
    server.told("stopped")  # the other worker, which had nothing to do
    interrupt_the_group(server)
    assert server.process.wait(5) == 130
    connection.close()


def test_a_worker_that_ignores_the_end_is_ended(start):
    server = start(limits={"graceful_seconds": 0}).wait_ready()
    pids = server.worker_pids(2)
    os.kill(min(pids), signal.SIGSTOP)
    server.process.terminate()
    output, code = server.rest()
    assert code == 0
    assert "child processes did not stop in time" in output


def test_a_worker_that_dies_is_replaced(start):
    server = start().wait_ready()
    before = server.worker_pids(2)
    os.kill(min(before), signal.SIGKILL)
    while server.worker_pids(2) & {min(before)} or not server.worker_pids(2) - before:
        pass  # answered all the while
    assert max(before) in server.worker_pids(2)
    server.process.terminate()
    output, code = server.rest()
    assert code == 0
    assert "a child process died and is replaced" in output


def test_a_worker_that_dies_again_and_again_is_not_replaced_ever_faster(start):
    server = start(workers=1, fail="second").wait_ready()
    os.kill(int(server.ask()), signal.SIGKILL)
    waits = []
    for line in server.process.stdout:
        if "delay_seconds" in line:
            waits.append(line.split("delay_seconds")[1])
        if len(waits) == 3:
            break
    assert [wait for wait, delay in zip(waits, ("0.1", "0.2", "0.4"), strict=True) if delay in wait] == waits
    server.process.terminate()
    assert server.rest()[1] == 0


def test_a_worker_that_cannot_be_forked_is_forked_later(start):
    server = start(workers=1, fail="fork").wait_ready()
    first = int(server.ask())
    os.kill(first, signal.SIGKILL)
    assert int(server.ask()) != first
    server.process.terminate()
    output, code = server.rest()
    assert code == 0
    assert "a child process cannot be forked now" in output


def test_a_known_failure_is_told_in_one_line(start):
    output, code = start(fail="known").rest()
    assert code == 1
    assert "The disk is full." in output
    assert "Traceback" not in output


@pytest.mark.parametrize("fail", ["make_app", "lifespan", "exit"])
def test_a_server_that_cannot_start_says_so_and_ends(start, fail):
    output, code = start(fail=fail).rest()
    assert code == 1
    assert "a child process could not start; stopping" in output
    assert '"port"' not in output


def test_a_caller_that_fails_leaves_no_worker_behind(start):
    output, code = start(fail="on_ready").rest()
    assert code == 1
    assert "the caller cannot go on" in output


def test_a_hang_up_that_is_ignored_stays_ignored(start):
    server = start(nohup=True).wait_ready()
    pids = server.worker_pids(2)
    server.process.send_signal(signal.SIGHUP)
    for pid in pids:
        os.kill(pid, signal.SIGHUP)
    assert server.worker_pids(2) == pids
    server.process.terminate()
    assert server.rest()[1] == 0
