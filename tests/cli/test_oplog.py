import io
import json
import logging

import pytest
import structlog

from strongroom.cli.oplog import configure_log


@pytest.fixture
def stream():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield io.StringIO()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def fail():
    password = "hunter2"
    raise ValueError(len(password))


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_failure_is_told_without_the_values_of_variables(stream, form):
    configure_log(level="info", form=form, stream=stream)
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("it failed", path="/x")
    told = stream.getvalue()
    assert "ValueError" in told
    assert "it failed" in told
    assert "/x" in told
    assert "'hunter2'" not in told.replace('password = "hunter2"', "")


def test_json_is_one_object_a_line(stream):
    configure_log(level="info", form="json", stream=stream)
    structlog.get_logger().info("ours", count=1)
    logging.getLogger("library").warning("theirs %s", 2)
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["count"], ours["level"]) == ("ours", 1, "info")
    assert (theirs["event"], theirs["level"]) == ("theirs 2", "warning")
    assert ours["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_told(stream):
    configure_log(level="warning", form="json", stream=stream)
    structlog.get_logger().info("ours")
    logging.getLogger("library").info("theirs")
    assert stream.getvalue() == ""


def test_of_libraries_only_warnings_are_told(stream):
    configure_log(level="debug", form="json", stream=stream)
    structlog.get_logger().debug("ours")
    logging.getLogger("library").info("theirs")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["ours"]


def test_the_log_goes_to_standard_error(stream, capsys):
    configure_log(level="info", form="console")
    structlog.get_logger().info("ours")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ours" in captured.err
