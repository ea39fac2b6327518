"""Where a resource may say it lives. All of them are this machine: a location is a label that scripts bring along.

Names are compared without case and spaces, as the resource manager does: "West Europe" is `westeurope`.
Source: the public regions of Azure, so that scripts written for it run unchanged; the server's own stands first.
"""

from dataclasses import dataclass

_REGIONS = """
    australiacentral Australia Central|australiaeast Australia East|australiasoutheast Australia Southeast
    austriaeast Austria East|belgiumcentral Belgium Central|brazilsouth Brazil South|brazilsoutheast Brazil Southeast
    canadacentral Canada Central|canadaeast Canada East|centralindia Central India|centralus Central US
    chilecentral Chile Central|denmarkeast Denmark East|eastasia East Asia|eastus East US|eastus2 East US 2
    francecentral France Central|francesouth France South|germanynorth Germany North
    germanywestcentral Germany West Central|indonesiacentral Indonesia Central|israelcentral Israel Central
    italynorth Italy North|japaneast Japan East|japanwest Japan West|koreacentral Korea Central|koreasouth Korea South
    malaysiawest Malaysia West|mexicocentral Mexico Central|newzealandnorth New Zealand North
    northcentralus North Central US|northeurope North Europe|norwayeast Norway East|norwaywest Norway West
    polandcentral Poland Central|qatarcentral Qatar Central|southafricanorth South Africa North
    southafricawest South Africa West|southcentralus South Central US|southeastasia Southeast Asia
    southindia South India|spaincentral Spain Central|swedencentral Sweden Central|swedensouth Sweden South
    switzerlandnorth Switzerland North|switzerlandwest Switzerland West|uaecentral UAE Central|uaenorth UAE North
    uksouth UK South|ukwest UK West|westcentralus West Central US|westeurope West Europe|westindia West India
    westus West US|westus2 West US 2|westus3 West US 3
"""


@dataclass(frozen=True, slots=True)
class Location:
    """A location: its canonical name and what people call it."""

    name: str
    display_name: str


def canonical(text: str) -> str:
    """Return a location's canonical form: lower case, no spaces."""
    return "".join(text.lower().split())


def _regions() -> tuple[Location, ...]:
    entries = (entry.strip() for line in _REGIONS.splitlines() for entry in line.split("|"))
    return tuple(Location(*entry.split(" ", 1)) for entry in entries if entry)


REGIONS = _regions()


class Locations:
    """The locations that one server knows: its own, then the public regions."""

    def __init__(self, own: str) -> None:
        name = canonical(own)
        others = tuple(region for region in REGIONS if region.name != name)
        shown = next((region.display_name for region in REGIONS if region.name == name), own.strip())
        self.all = (Location(name, shown), *others)
        self._names = frozenset(location.name for location in self.all)

    def find(self, text: str) -> str | None:
        """Return the canonical name of a known location."""
        name = canonical(text)
        return name if name in self._names else None

    def listed(self) -> str:
        """Return all names, as refusals list them."""
        return ",".join(location.name for location in self.all)
