"""What all stores in memory share: how a change that came to nothing is undone."""


class MemoryStore:
    """Rows are frozen, so that a copy of the containers is a snapshot. `held` names them."""

    held = ()

    def snapshot(self):
        return {name: _copy(getattr(self, name)) for name in self.held}

    def restore(self, state):
        for name, container in state.items():
            setattr(self, name, container)


def _copy(container):
    if isinstance(container, dict):
        return {key: dict(value) if isinstance(value, dict) else value for key, value in container.items()}
    return list(container)
