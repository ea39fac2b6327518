"""Which CAs a client trusts: ours beside those that its environment named before, so that neither is lost."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from strongroom.cli.running import Running

# These replace the public roots, so that ours has to hold them; node's adds to them.
REPLACING = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
ADDING = ("NODE_EXTRA_CA_CERTS",)


def trust_variables(server: Running, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make clients trust `server` and whatever `environ` made them trust before.

    Where there was something before, both are joined in a file of its own beside the CA.
    """
    ours = dict.fromkeys(REPLACING, server.ca_bundle) | dict.fromkeys(ADDING, server.ca_file)
    return {name: _joined(environ.get(name), server, default) for name, default in ours.items()}


def _joined(earlier: str | None, server: Running, default: str) -> str:
    """Return the path of a bundle with the CAs of `earlier` and ours; `default` when there are none of it."""
    if not earlier:
        return default
    ca = Path(server.ca_file)
    try:
        roots, own = Path(earlier).read_bytes(), ca.read_bytes()
    except OSError:
        return default
    if own.strip() in roots:
        return earlier
    content = roots.rstrip() + b"\n\n" + own
    path = ca.with_name(f"ca-with-{hashlib.sha256(content).hexdigest()[:16]}.pem")
    if not path.exists():
        scratch = path.with_suffix(".new")
        scratch.write_bytes(content)
        scratch.replace(path)
    return str(path)
