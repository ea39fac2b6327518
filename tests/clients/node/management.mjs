// The life of a vault and what it holds as resources, by @azure/arm-keyvault as a user writes it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { KeyVaultManagementClient } from "@azure/arm-keyvault";
import { SecretClient } from "@azure/keyvault-secrets";
import { collect, credential, status, step } from "./session.mjs";

const { AZURE_SUBSCRIPTION_ID, AZURE_TENANT_ID, VAULT_URL, CANARY, STRONGROOM } = process.env;
const endpoint = VAULT_URL.replace("//dev.vault.", "//management.");
const client = new KeyVaultManagementClient(credential, AZURE_SUBSCRIPTION_ID, { endpoint });
const [group, location] = ["dev", "local"];
const name = `node-${Date.now().toString(36)}`;
const someone = "c0ffee00-0000-4000-8000-00000000ab1e";
const sku = { family: "A", name: "premium" };
const properties = { tenantId: AZURE_TENANT_ID, sku, accessPolicies: [], enableRbacAuthorization: false };

step("make, get, list");
assert.ok((await client.vaults.checkNameAvailability({ name, type: "Microsoft.KeyVault/vaults" })).nameAvailable);
const vault = await client.vaults.createOrUpdate(group, name, { location, properties }).pollUntilDone();
assert.equal(vault.name, name);
assert.equal(vault.properties.provisioningState, "Succeeded");
assert.equal((await client.vaults.get(group, name)).properties.vaultUri, vault.properties.vaultUri);
for (const list of ["listByResourceGroup", "listBySubscription", "list"]) {
  const found = await collect(list === "listByResourceGroup" ? client.vaults[list](group) : client.vaults[list]());
  assert.ok(found.some((each) => each.name === name), list);
}

step("policies, patch");
const policies = { properties: { accessPolicies: [
  { tenantId: AZURE_TENANT_ID, objectId: someone, permissions: { secrets: ["get"] } },
] } };
const told = await client.vaults.updateAccessPolicy(group, name, "add", policies);
assert.deepEqual(told.properties.accessPolicies[0].permissions.secrets, ["get"]);
const patched = await client.vaults.update(group, name, { tags: { a: "b" }, properties: { enabledForDeployment: true } });
assert.deepEqual([patched.tags, patched.properties.enabledForDeployment], [{ a: "b" }, true]);
await client.vaults.updateAccessPolicy(group, name, "remove", policies);
assert.deepEqual((await client.vaults.get(group, name)).properties.accessPolicies, []);

step("network rules");
const ruled = await client.vaults.update(group, name, { properties: {
  networkAcls: { bypass: "None", defaultAction: "Deny", ipRules: [{ value: "203.0.113.7" }], virtualNetworkRules: [] },
} });
assert.deepEqual(ruled.properties.networkAcls.ipRules, [{ value: "203.0.113.7/32" }]);
const same = await client.vaults.createOrUpdate(group, name, ruled).pollUntilDone();
assert.deepEqual(same.properties.networkAcls, ruled.properties.networkAcls);
const outside = new SecretClient(vault.properties.vaultUri, credential).getSecret("db");
await assert.rejects(outside, (error) => error.statusCode === 403 && error.message.includes("Client address: 127.0.0.1"));
const wrong = client.vaults.update(group, name, { properties: { networkAcls: { ipRules: [{ value: "1.2.3" }] } } });
assert.deepEqual(await status(wrong), [400, "BadRequest"]);
const open = { networkAcls: { defaultAction: "Allow", ipRules: [] }, publicNetworkAccess: "Enabled" };
assert.equal((await client.vaults.update(group, name, { properties: open })).properties.publicNetworkAccess, "Enabled");

step("secrets: in and never out");
const made = await client.secrets.createOrUpdate(group, name, "db", {
  tags: { team: "red" },
  properties: { value: CANARY, contentType: "text/plain", attributes: { expires: new Date("2037-01-01T00:00:00Z") } },
});
assert.equal(made.properties.value, undefined);
assert.equal(made.properties.attributes.expires.getTime(), Date.parse("2037-01-01T00:00:00Z"));
const changed = await client.secrets.update(group, name, "db", { properties: { attributes: { enabled: false } } });
assert.equal(changed.properties.attributes.enabled, false);
assert.equal(changed.properties.secretUriWithVersion, made.properties.secretUriWithVersion);
assert.equal((await client.secrets.get(group, name, "db")).properties.contentType, "text/plain");
assert.deepEqual((await collect(client.secrets.list(group, name))).map((each) => each.name), ["db"]);
await assert.rejects(new SecretClient(vault.properties.vaultUri, credential).getSecret("db"), { statusCode: 403 });

step("keys: made once");
const key = await client.keys.createIfNotExist(group, name, "k", { properties: { kty: "EC", curveName: "P-384" } });
const again = await client.keys.createIfNotExist(group, name, "k", { properties: { kty: "RSA" } });
assert.equal(again.keyUriWithVersion, key.keyUriWithVersion);
assert.equal((await client.keys.get(group, name, "k")).curveName, "P-384");
const version = key.keyUriWithVersion.split("/").at(-1);
assert.equal((await client.keys.getVersion(group, name, "k", version)).name, version);
assert.deepEqual((await collect(client.keys.list(group, name))).map((each) => each.name), ["k"]);
assert.deepEqual((await collect(client.keys.listVersions(group, name, "k"))).map((each) => each.name), [version]);

step("private links, operations");
const links = await client.privateLinkResources.listByVault(group, name);
assert.equal(links.value[0].groupId, "vault");
assert.deepEqual(await collect(client.privateEndpointConnections.listByResource(group, name)), []);
const endpointAt = ["network", "endpoint", "add", "node-pe", "--vault", name, "--address", "127.0.0.95", "--approve"];
execFileSync(STRONGROOM, endpointAt);
const linked = await client.privateEndpointConnections.get(group, name, "node-pe");
assert.equal(linked.privateLinkServiceConnectionState.status, "Approved");
linked.privateLinkServiceConnectionState.status = "Rejected";
const rejected = await client.privateEndpointConnections.put(group, name, "node-pe", linked);
assert.equal(rejected.privateLinkServiceConnectionState.status, "Rejected");
assert.equal((await client.vaults.get(group, name)).properties.privateEndpointConnections.length, 1);
await client.privateEndpointConnections.delete(group, name, "node-pe");
assert.deepEqual(await collect(client.privateEndpointConnections.listByResource(group, name)), []);
// That of one that is not there is left out: this client cannot read its documented 204.
assert.deepEqual(await status(client.privateEndpointConnections.get(group, name, "none")), [404, "ResourceNotFound"]);
assert.ok((await collect(client.operations.list())).some((each) => each.name === "Microsoft.KeyVault/vaults/keys/write"));

step("delete, recover, purge");
await client.vaults.delete(group, name);
assert.deepEqual(await status(client.vaults.get(group, name)), [404, "ResourceNotFound"]);
assert.equal((await client.vaults.getDeleted(name, location)).name, name);
assert.ok((await collect(client.vaults.listDeleted())).some((each) => each.name === name));
const recovery = { location, properties: { ...properties, createMode: "recover" } };
await client.vaults.createOrUpdate(group, name, recovery).pollUntilDone();
assert.equal((await client.keys.get(group, name, "k")).name, "k");
await client.vaults.delete(group, name);
await client.vaults.purgeDeleted(name, location).pollUntilDone();
assert.deepEqual(await status(client.vaults.getDeleted(name, location)), [404, "DeletedVaultNotFound"]);
step("what is purged is gone");
