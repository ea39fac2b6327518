"""Whatever crashes, wherever: its report tells where, and no value of a variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from canaries import finder, new_canary

CRASH = """
import asyncio, os, sys, threading
import strongroom.cli.main as main
from strongroom.cli import env
from strongroom.cli.oplog import configure_log
from strongroom.hosting.children import Post
from strongroom.hosting.limits import Limits
from strongroom.hosting.worker import Site, run_worker

def crash(*_, **__):
    value = os.environ["CANARY"]
    held = {"value": value, "bytes": value.encode(), "deep": [(value,)]}
    raise RuntimeError(f"crashed with {len(held)} secrets in hand")

async def crash_later():
    crash()

async def crash_unseen():
    task = asyncio.ensure_future(crash_later())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task

def as_a_command():
    env.command.callback = crash
    sys.argv[1:] = ["env"]
    main.main()

def as_a_thread():
    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()

def as_a_task():
    asyncio.run(crash_unseen())

def as_a_worker():
    ready, told = os.pipe()
    site = Site(make_app=crash, listeners=(), proxies=(), tls=None, domain="localhost", limits=Limits(), meters=None)
    run_worker(site, Post(told, ready))

configure_log(level="debug", form=sys.argv[2])
globals()[sys.argv[1]]()
"""


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("way", ["as_a_command", "as_a_thread", "as_a_task", "as_a_worker"])
def test_the_report_of_a_crash_holds_no_value(tmp_path, way, form):
    script, canary = tmp_path / "crash.py", new_canary()
    script.write_text(CRASH)
    paths = os.pathsep.join([os.environ.get("PYTHONPATH", ""), *sys.path])
    environ = {**os.environ, "CANARY": canary, "HOME": str(tmp_path), "PYTHONPATH": paths, "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(
        [sys.executable, str(script), way, form], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = done.stdout + done.stderr
    assert "crashed with 3 secrets in hand" in told
    assert "in crash" in told  # the report is there
    assert not finder([canary.encode()])(told.encode())
    left = [path for path in Path(tmp_path).rglob("*") if path.is_file() and path != script]
    assert not [path for path in left if finder([canary.encode()])(path.read_bytes())]
