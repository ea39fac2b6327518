"""The tables of authenticated documents: whoever goes through all of them finds them here."""

from strongroom.storage.connections import CONNECTIONS
from strongroom.storage.grants import ASSIGNMENTS, ROLES
from strongroom.storage.identity import APPLICATIONS, SIGNING_KEYS, TENANTS
from strongroom.storage.keys import POLICIES
from strongroom.storage.locks import LOCKS
from strongroom.storage.networks import NETWORKS
from strongroom.storage.principals import PRINCIPALS
from strongroom.storage.resources import FACTS, GROUPS, SUBSCRIPTIONS
from strongroom.storage.vaults import VAULTS

DOCUMENTS = (
    TENANTS,
    APPLICATIONS,
    SIGNING_KEYS,
    SUBSCRIPTIONS,
    GROUPS,
    FACTS,
    VAULTS,
    ASSIGNMENTS,
    ROLES,
    POLICIES,
    *PRINCIPALS,
    LOCKS,
    NETWORKS,
    CONNECTIONS,
)
