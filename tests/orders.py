"""Is there one order that explains all answers? Searched among those that the clients' own orders and time allow."""

from dataclasses import dataclass

from lives import Act


@dataclass(frozen=True, slots=True)
class Done:
    """An act that was answered. begun, ended: seconds of one clock; outcome: what was told."""

    act: Act
    begun: float
    ended: float
    outcome: object

    def __str__(self):
        what = " ".join(part for part in (self.act.kind, self.act.mark) if part)
        return f"{self.begun:.4f}–{self.ended:.4f} {what} → {self.outcome}"


def lives_after(histories, lives, step):
    """Return every life that a thing may have after these histories, none when no order explains their answers.

    histories: for each client what it did, in its order. lives: those that the thing may have had before. step: returns
    the outcome of an act on a life and the life after it.
    """
    found, seen = set(), set()
    waiting = [(life, (0,) * len(histories)) for life in lives]
    while waiting:
        position = waiting.pop()
        if position in seen:
            continue
        seen.add(position)
        life, done = position
        rest = [history[count:] for history, count in zip(histories, done, strict=True)]
        if not any(rest):
            found.add(life)
            continue
        # What began only after something else had ended cannot have come before it.
        earliest_end = min(history[0].ended for history in rest if history)
        for client, history in enumerate(rest):
            if history and history[0].begun <= earliest_end:
                outcome, after = step(life, history[0].act)
                if outcome == history[0].outcome:
                    moved = tuple(count + (number == client) for number, count in enumerate(done))
                    waiting.append((after, moved))
    return frozenset(found)


def told(histories):
    """Return histories in words, for whoever looks for the order that is not there."""
    return "\n".join(f"client {number}: {done}" for number, history in enumerate(histories) for done in history)
