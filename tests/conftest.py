"""What every test run has: groups that stay together, counts shown at its end, and a search for what leaked."""

import signal

import pytest

import canaries


def pytest_configure(config):
    canaries.install(config)
    # A shell has what runs in the background ignore Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # And nohup has it ignore the end of its terminal, which tells servers to reload: what is started here begins anew.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Let a group of tests run in one process: xdist 3.8 marks them in a name that pytest 9.2 reads no more."""
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        marked = getattr(item, "_nodeid", item.nodeid)
        if marked != item.nodeid and hasattr(item, "_id"):
            item._id = type(item._id).parse(marked)


def pytest_terminal_summary(terminalreporter):
    """Show what tests counted: `record_property("counts", lines)`."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    for lines in (lines for report in reports for name, lines in report.user_properties if name == "counts"):
        terminalreporter.section(lines[0])
        for line in lines[1:]:
            terminalreporter.write_line(line)
