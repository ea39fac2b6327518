import time

import pytest

from strongroom.hosting.children import Child, Duty
from strongroom.hosting.crew import LONGEST_DELAY, Crew


def dying_again_and_again(longest_delay, times=20):
    """Return for how many seconds a crew waits at last, when its child dies young so often."""
    crew = Crew(Duty(name="x", count=1, work=lambda _: 0, longest_delay=longest_delay), lambda _: None, lambda _: 0)
    for _ in range(times):
        crew._due.clear()
        crew.replace(Child(pid=1, pipe=1, born=time.monotonic(), generation=0, row=1), 1)
    return crew.wakes_at - time.monotonic()


@pytest.mark.parametrize(("longest", "waited"), [(None, LONGEST_DELAY), (1.0, 1.0)])
def test_a_child_that_dies_again_and_again_is_started_at_longer_intervals_up_to_a_bound(longest, waited):
    assert waited / 2 < dying_again_and_again(longest) <= waited
