"""The data plane: what the gate asks of it for every request to a vault."""

from typing import Any

from strongroom.access.authorization.model import Action
from strongroom.access.authorization.service import data_refusal, find_data_decision
from strongroom.access.identity import challenges
from strongroom.access.identity.attestation import Authorities, NoAuthorities
from strongroom.access.identity.audiences import Service
from strongroom.access.identity.model import Caller
from strongroom.access.identity.verifier import Verifier
from strongroom.access.network.firewall import Firewall
from strongroom.audit.event import Category
from strongroom.errors import NotFound, StrongroomError, Unauthenticated
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.call import Call
from strongroom.planes.data import errors, keyrelease, keys, keyuse, secrets, wire
from strongroom.planes.data.headers import challenge, own_headers, standing_headers
from strongroom.planes.data.throttling import Limiter, count
from strongroom.planes.data.versions import require_supported
from strongroom.planes.data.whence import require_network
from strongroom.planes.decision import note_decision
from strongroom.planes.gate import parse_json
from strongroom.planes.http import Request, Response
from strongroom.planes.operation import Operation, Table
from strongroom.vaults.model import id_of_vault


def operations(keepers: Keepers, authorities: Authorities | None = None) -> tuple[Operation, ...]:
    """Return every row of the plane. keepers: who keeps its keys. authorities: who may attest, None for nobody."""
    releases = keyrelease.operations(keepers, authorities or NoAuthorities())
    return (*secrets.OPERATIONS, *keys.operations(keepers), *keyuse.operations(keepers), *releases)


class DataPlane:
    """Vaults by their host names: `{vault}.vault.{domain}`. Implements `planes.gate.Plane`."""

    def __init__(
        self, verifier: Verifier, limiter: Limiter, keepers: Keepers, authorities: Authorities | None = None
    ) -> None:
        self.table = Table(operations(keepers, authorities))
        self.category = Category.AUDIT
        self.unauthenticated = "Authentication"
        self._verifier = verifier
        self._limiter = limiter
        self._keepers = keepers
        self._firewall = Firewall()

    async def locate(self, call: Call) -> None:
        """Find the vault by the first label of the host; a deleted one is not there, and no key of it stays loaded."""
        name = call.request.host.partition(".")[0]
        vault = await call.stores.vaults.find(name)
        if vault is not None and vault.deletion is not None:
            self._keepers.forget_vault(vault)
        if vault is None or vault.deletion is not None:
            raise NotFound(f"There is no vault of the name '{name}' here.", code="VaultNotFound")
        call.vault = vault

    async def authenticate(self, call: Call) -> Caller:
        """Return who signed the request for this vault's tenant; Unauthenticated otherwise."""
        return await self._verifier.verify(
            unverified_bearer_token(call.request),
            service=Service.VAULT,
            store=call.stores.identity,
            now=call.real_now,
            tenant_id=call.known_vault().tenant_id,
        )

    def explain_unknown(self, error: StrongroomError, call: Call) -> StrongroomError:  # noqa: ARG002 - as the table says it
        """Return what the table says of a path that it has not."""
        return error

    def require_version(self, call: Call) -> None:
        """Refuse api-versions that we do not speak, and queries that name one twice."""
        require_supported(call.request.query.get("api-version"))

    async def authorize(self, call: Call) -> None:
        """Ask whether the vault may be reached from where the caller is, then whether the caller may; note why."""
        vault, operation = call.known_vault(), call.operation
        assert operation is not None  # the gate comes here with an operation only
        action = operation.needs
        assert isinstance(action, Action)  # each row of this plane's table says a data action
        scope = id_of_vault(vault)
        name = call.parameters.get("name")
        if name is not None:
            scope = f"{scope}/{action.policy[0]}/{name}"
            call.object_id = _object_id(call, name)
        await require_network(call, self._firewall)
        caller = call.known_caller()
        decision = await find_data_decision(call.stores, vault, caller, action, scope, now=call.now)
        call.notes["isRbacAuthorized" if vault.rbac else "isAccessPolicyMatch"] = decision.allowed
        await note_decision(call, decision)
        if not decision.allowed:
            raise data_refusal(vault, caller, action, scope)

    def throttle(self, call: Call) -> None:
        """Count a transaction of the vault, if it counts any; what is refused counts for nothing."""
        call.limiter = self._limiter
        count(self._limiter, call.known_vault(), call.real_now)

    async def confirm(self, call: Call) -> None:
        """What was granted when the request came counts to its end, as for one that only reads."""

    def parse_body(self, call: Call) -> Any:
        """Return the body as the operation's wire type; values and private keys are sensitive from here on."""
        assert call.operation is not None  # the gate comes here with an operation only
        return parse_json(call.request.body, call.operation.takes, wire.make_octets)

    def resource_id(self, call: Call) -> str:
        """Return the ARM id of the vault, "" when the request named none that is here."""
        vault = call.vault
        return "" if vault is None else id_of_vault(vault)

    def render_error(self, error: StrongroomError, call: Call) -> Response:
        """Return an error in the service's form; a 401 carries the challenge."""
        if isinstance(error, Unauthenticated) and call.vault is not None:
            return errors.render(error, challenge(call.request.host, call.domain, call.vault.tenant_id))
        return errors.render(error)

    def finish(self, response: Response, call: Call) -> Response:
        """Return the response with the headers that every answer carries."""
        return Response(response.status, response.body, own_headers(call), standing_headers(call, response.headers))


def unverified_bearer_token(request: Request) -> str:
    """Return the token of the one Authorization header; Unauthenticated when there is no such thing."""
    if b"authorization" in request.repeated:
        raise Unauthenticated("AKV10000: Request has more than one Authorization header.")
    scheme, _, token = request.header(b"authorization").partition(" ")
    token = token.strip()
    if not token or scheme.lower() != "bearer":
        raise Unauthenticated(challenges.DATA)
    return token


def _object_id(call: Call, name: str) -> str:
    """Return the id of the object that a path names, as records tell it, whether or not it exists."""
    assert call.operation is not None  # a name stands in the path of an operation only
    collection = call.operation.path.split("/", 2)[1]
    version = call.parameters.get("version")
    return f"{call.request.base}/{collection}/{name}" + (f"/{version}" if version else "")
