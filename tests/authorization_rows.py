"""What every operation needs, written from the documented operations: a row that is not here fails the matrix.

The tables repeat what the planes say on purpose: they must not be read from the code that they check. A row that needs
no permission is listed too, with `-`: that nothing is asked must be somebody's decision.
"""

S = "/subscriptions/{subscription}"
G = S + "/resourceGroups/{group}"
V = G + "/providers/Microsoft.KeyVault/vaults/{vault}"
N = G + "/providers/Microsoft.Network/virtualNetworks/{network}"
O = V + "/{collection}/{object}"  # noqa: E741 - as S, G and V
PREFIXES = {"-": "", "S": S, "G": G, "V": V, "N": N, "O": O}
NOTHING = "-"

# Methods, where, the path below, the action that is needed there; last, what of the path belongs to the scope too.
MANAGEMENT = """
GET - /metadata/endpoints -
GET - /tenants -
GET - /subscriptions -
GET S . -
GET S /locations Microsoft.Resources/subscriptions/locations/read
GET - /providers -
GET - /providers/{namespace} -
GET S /providers Microsoft.Resources/subscriptions/providers/read
GET S /providers/{namespace} Microsoft.Resources/subscriptions/providers/read
GET S /providers/{namespace}/resourceTypes Microsoft.Resources/subscriptions/providers/read
POST S /providers/{namespace}/register {namespace}/register/action
POST S /providers/{namespace}/unregister {namespace}/unregister/action
GET - /providers/Microsoft.KeyVault/operations -
PUT,PATCH G . Microsoft.Resources/subscriptions/resourceGroups/write
GET,HEAD G . Microsoft.Resources/subscriptions/resourceGroups/read
DELETE G . Microsoft.Resources/subscriptions/resourceGroups/delete
GET S /resourceGroups Microsoft.Resources/subscriptions/resourceGroups/read
GET S,G /resources -
GET S /operationresults/{operation} -
PUT,PATCH V . Microsoft.KeyVault/vaults/write
GET,HEAD V . Microsoft.KeyVault/vaults/read
DELETE V . Microsoft.KeyVault/vaults/delete
PUT V /accessPolicies/{kind} Microsoft.KeyVault/vaults/accessPolicies/write
GET S,G /providers/Microsoft.KeyVault/vaults Microsoft.KeyVault/vaults/read
POST S /providers/Microsoft.KeyVault/checkNameAvailability Microsoft.KeyVault/checkNameAvailability/read
GET S /providers/Microsoft.KeyVault/deletedVaults Microsoft.KeyVault/deletedVaults/read
GET S /providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{deleted} Microsoft.KeyVault/locations/deletedVaults/read *
POST S /providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{deleted}/purge Microsoft.KeyVault/locations/deletedVaults/purge/action /providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{deleted}
GET S /providers/Microsoft.KeyVault/locations/{location}/operationResults/{operation} Microsoft.KeyVault/locations/operationResults/read /providers/Microsoft.KeyVault/locations/{location}
PUT,PATCH V /secrets/{secret} Microsoft.KeyVault/vaults/secrets/write *
GET V /secrets/{secret} Microsoft.KeyVault/vaults/secrets/read *
GET V /secrets Microsoft.KeyVault/vaults/secrets/read
PUT V /keys/{key} Microsoft.KeyVault/vaults/keys/write *
GET V /keys/{key} Microsoft.KeyVault/vaults/keys/read *
GET V /keys Microsoft.KeyVault/vaults/keys/read
GET V /keys/{key}/versions Microsoft.KeyVault/vaults/keys/versions/read /keys/{key}
GET V /keys/{key}/versions/{version} Microsoft.KeyVault/vaults/keys/versions/read /keys/{key}
GET V /privateLinkResources Microsoft.KeyVault/vaults/privateLinkResources/read
GET V /privateEndpointConnections Microsoft.KeyVault/vaults/privateEndpointConnections/read
GET V /privateEndpointConnections/{connection} Microsoft.KeyVault/vaults/privateEndpointConnections/read
PUT V /privateEndpointConnections/{connection} Microsoft.KeyVault/vaults/privateEndpointConnections/write
DELETE V /privateEndpointConnections/{connection} Microsoft.KeyVault/vaults/privateEndpointConnections/delete
GET S,G /providers/Microsoft.KeyVault/managedHSMs Microsoft.KeyVault/managedHSMs/read
GET G /providers/Microsoft.KeyVault/managedHSMs/{hsm} Microsoft.KeyVault/managedHSMs/read *
GET S /providers/Microsoft.KeyVault/deletedManagedHSMs Microsoft.KeyVault/deletedManagedHsms/read
GET S /providers/Microsoft.KeyVault/locations/{location}/deletedManagedHSMs/{deletedHsm} Microsoft.KeyVault/locations/deletedManagedHsms/read /providers/Microsoft.KeyVault/locations/{location}
POST S /providers/Microsoft.KeyVault/checkMhsmNameAvailability Microsoft.KeyVault/checkMhsmNameAvailability/read
GET - /providers/Microsoft.Authorization/roleDefinitions -
GET - /providers/Microsoft.Authorization/roleDefinitions/{role} -
GET S,G,V,O /providers/Microsoft.Authorization/roleDefinitions Microsoft.Authorization/roleDefinitions/read
GET S,G,V,O /providers/Microsoft.Authorization/roleDefinitions/{role} Microsoft.Authorization/roleDefinitions/read
PUT S,G /providers/Microsoft.Authorization/roleDefinitions/{role} Microsoft.Authorization/roleDefinitions/write
DELETE S,G /providers/Microsoft.Authorization/roleDefinitions/{role} Microsoft.Authorization/roleDefinitions/delete
GET S,G,V,O /providers/Microsoft.Authorization/roleAssignments Microsoft.Authorization/roleAssignments/read
GET S,G,V,O /providers/Microsoft.Authorization/roleAssignments/{assignment} Microsoft.Authorization/roleAssignments/read
PUT S,G,V,O /providers/Microsoft.Authorization/roleAssignments/{assignment} Microsoft.Authorization/roleAssignments/write
DELETE S,G,V,O /providers/Microsoft.Authorization/roleAssignments/{assignment} Microsoft.Authorization/roleAssignments/delete
GET G,V /providers/Microsoft.Authorization/permissions Microsoft.Authorization/permissions/read
GET S,G,V /providers/Microsoft.Authorization/denyAssignments Microsoft.Authorization/denyAssignments/read
GET S,G,V /providers/Microsoft.Authorization/denyAssignments/{denial} Microsoft.Authorization/denyAssignments/read
GET S /providers/Microsoft.Authorization/classicAdministrators Microsoft.Authorization/classicAdministrators/read
GET S /providers/Strongroom.Access/principals/{principal}/reach Microsoft.Authorization/roleAssignments/read
POST S,G,V /providers/Strongroom.Access/preview Microsoft.Authorization/roleAssignments/read
GET V /providers/Strongroom.Access/reach Microsoft.Authorization/roleAssignments/read
GET O /providers/Strongroom.Access/reach Microsoft.Authorization/roleAssignments/read
GET - /providers/Microsoft.Authorization/providerOperations -
GET - /providers/Microsoft.Authorization/providerOperations/{namespace} -
GET S,G,V,N /providers/Microsoft.Authorization/locks Microsoft.Authorization/locks/read
GET S,G,V,N /providers/Microsoft.Authorization/locks/{lock} Microsoft.Authorization/locks/read *
PUT S,G,V,N /providers/Microsoft.Authorization/locks/{lock} Microsoft.Authorization/locks/write *
DELETE S,G,V,N /providers/Microsoft.Authorization/locks/{lock} Microsoft.Authorization/locks/delete *
GET S,G,V,N /providers/Microsoft.Resources/tags/default Microsoft.Resources/tags/read
PUT,PATCH S,G,V,N /providers/Microsoft.Resources/tags/default Microsoft.Resources/tags/write
DELETE S,G,V,N /providers/Microsoft.Resources/tags/default Microsoft.Resources/tags/delete
GET - /providers/Microsoft.Network/operations -
GET N . Microsoft.Network/virtualNetworks/read
PUT,PATCH N . Microsoft.Network/virtualNetworks/write
DELETE N . Microsoft.Network/virtualNetworks/delete
GET S,G /providers/Microsoft.Network/virtualNetworks Microsoft.Network/virtualNetworks/read
GET N /subnets Microsoft.Network/virtualNetworks/subnets/read
GET N /subnets/{subnet} Microsoft.Network/virtualNetworks/subnets/read *
PUT N /subnets/{subnet} Microsoft.Network/virtualNetworks/subnets/write *
DELETE N /subnets/{subnet} Microsoft.Network/virtualNetworks/subnets/delete *
GET S /tagNames Microsoft.Resources/subscriptions/tagNames/read
PUT S /tagNames/{tag} Microsoft.Resources/subscriptions/tagNames/write
DELETE S /tagNames/{tag} Microsoft.Resources/subscriptions/tagNames/delete
PUT S /tagNames/{tag}/tagValues/{value} Microsoft.Resources/subscriptions/tagNames/tagValues/write
DELETE S /tagNames/{tag}/tagValues/{value} Microsoft.Resources/subscriptions/tagNames/tagValues/delete
GET S /providers/Microsoft.Insights/eventtypes/management/values Microsoft.Insights/eventtypes/values/Read
GET,PUT - /providers/Strongroom.Rehearsal/clock -
"""  # noqa: E501 - a row is a line

# Methods, path, access-policy permission, data action below Microsoft.KeyVault/vaults/.
DATA = """
PUT /secrets/{name} secrets/set secrets/setSecret/action
GET /secrets/{name} secrets/get secrets/getSecret/action
GET /secrets/{name}/{version} secrets/get secrets/getSecret/action
PATCH /secrets/{name} secrets/set secrets/update/action
PATCH /secrets/{name}/{version} secrets/set secrets/update/action
GET /secrets secrets/list secrets/readMetadata/action
GET /secrets/{name}/versions secrets/list secrets/readMetadata/action
DELETE /secrets/{name} secrets/delete secrets/delete
GET /deletedsecrets secrets/list secrets/readMetadata/action
GET /deletedsecrets/{name} secrets/get secrets/readMetadata/action
POST /deletedsecrets/{name}/recover secrets/recover secrets/recover/action
DELETE /deletedsecrets/{name} secrets/purge secrets/purge/action
POST /secrets/{name}/backup secrets/backup secrets/backup/action
POST /secrets/restore secrets/restore secrets/restore/action
POST /keys/{name}/create keys/create keys/create/action
PUT /keys/{name} keys/import keys/import/action
POST /keys/{name}/rotate keys/rotate keys/rotate/action
GET /keys/{name}/rotationpolicy keys/getrotationpolicy keyrotationpolicies/read
PUT /keys/{name}/rotationpolicy keys/setrotationpolicy keyrotationpolicies/write
GET /keys/{name} keys/get keys/read
GET /keys/{name}/{version} keys/get keys/read
GET /keys/{name}/attestation keys/get keys/read
GET /keys/{name}/{version}/attestation keys/get keys/read
PATCH /keys/{name} keys/update keys/update/action
PATCH /keys/{name}/{version} keys/update keys/update/action
GET /keys keys/list keys/read
GET /keys/{name}/versions keys/list keys/read
DELETE /keys/{name} keys/delete keys/delete
GET /deletedkeys keys/list keys/read
GET /deletedkeys/{name} keys/get keys/read
POST /deletedkeys/{name}/recover keys/recover keys/recover/action
DELETE /deletedkeys/{name} keys/purge keys/purge/action
POST /keys/{name}/backup keys/backup keys/backup/action
POST /keys/restore keys/restore keys/restore/action
POST /keys/{name}/encrypt keys/encrypt keys/encrypt/action
POST /keys/{name}/{version}/encrypt keys/encrypt keys/encrypt/action
POST /keys/{name}/decrypt keys/decrypt keys/decrypt/action
POST /keys/{name}/{version}/decrypt keys/decrypt keys/decrypt/action
POST /keys/{name}/wrapkey keys/wrapkey keys/wrap/action
POST /keys/{name}/{version}/wrapkey keys/wrapkey keys/wrap/action
POST /keys/{name}/unwrapkey keys/unwrapkey keys/unwrap/action
POST /keys/{name}/{version}/unwrapkey keys/unwrapkey keys/unwrap/action
POST /keys/{name}/sign keys/sign keys/sign/action
POST /keys/{name}/{version}/sign keys/sign keys/sign/action
POST /keys/{name}/verify keys/verify keys/verify/action
POST /keys/{name}/{version}/verify keys/verify keys/verify/action
POST /keys/{name}/release keys/release keys/release/action
POST /keys/{name}/{version}/release keys/release keys/release/action
"""


def _management():
    """Return method and path → the action that is needed, and the scope at which it is asked; None for no action."""
    found = {}
    for line in MANAGEMENT.strip().splitlines():
        methods, places, rest, action, *belongs = line.split()
        below = "" if rest == "." else rest
        for place in places.split(","):
            prefix = PREFIXES[place]
            added = "".join(belongs).replace("*", below)
            for method in methods.split(","):
                row = (method, prefix + below)
                assert row not in found, row
                found[row] = None if action == NOTHING else (action, prefix + added)
    return found


def _data():
    """Return method and path → (kind, permission), data action in full, whether an object is what it is about."""
    found = {}
    for line in DATA.strip().splitlines():
        method, path, permission, action = line.split()
        policy = tuple(permission.split("/"))
        found[method, path] = (policy, f"Microsoft.KeyVault/vaults/{action}", "{name}" in path)
    return found


MANAGEMENT_ROWS = _management()
DATA_ROWS = _data()
