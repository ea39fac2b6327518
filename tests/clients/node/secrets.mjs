// Every operation of secrets by the unmodified JavaScript clients, challenge verification on. Ends with 0 when all did.
// Written as a user would write it; what a rehearsal server takes is `disableInstanceDiscovery`: without it the client
// would ask the public cloud whether our sign-in host is one of its.
import assert from "node:assert/strict";
import { ClientSecretCredential, DefaultAzureCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";

const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST, VAULT_URL } = process.env;
const options = { authorityHost: AZURE_AUTHORITY_HOST, disableInstanceDiscovery: true };
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, options);
const client = new SecretClient(VAULT_URL, credential);
const polling = { intervalInMs: 100 };
const name = `node-${process.pid}`;

async function collect(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

async function status(promise) {
  const error = await promise.then(() => assert.fail("it was not refused"), (caught) => caught);
  return [error.statusCode, error.code];
}

const step = (title) => console.log(title);

step("set, get, list versions");
const first = await client.setSecret(name, "one", { contentType: "text/plain", tags: { team: "blue" } });
const second = await client.setSecret(name, "two", { notBefore: new Date(1e12), expiresOn: new Date(2e12) });
assert.notEqual(first.properties.version, second.properties.version);
assert.equal((await client.getSecret(name)).value, "two");
const old = await client.getSecret(name, { version: first.properties.version });
assert.equal(old.value, "one");
assert.deepEqual(old.properties.tags, { team: "blue" });
assert.equal(old.properties.contentType, "text/plain");
assert.equal(second.properties.expiresOn.getTime(), 2e12);
assert.equal(second.properties.recoveryLevel, "Recoverable+Purgeable");
const versions = await collect(client.listPropertiesOfSecretVersions(name));
assert.equal(versions.length, 2);

step("update, list");
await client.updateSecretProperties(name, first.properties.version, { enabled: false });
assert.deepEqual(await status(client.getSecret(name, { version: first.properties.version })), [403, "Forbidden"]);
assert.ok((await collect(client.listPropertiesOfSecrets())).some((each) => each.name === name));

step("paging");
for (let i = 0; i < 3; i++) await client.setSecret(`${name}-page-${i}`, `${i}`);
let pages = 0;
for await (const page of client.listPropertiesOfSecrets().byPage({ maxPageSize: 2 })) {
  assert.ok(page.length <= 2);
  pages++;
}
assert.ok(pages >= 2);

step("backup, delete, list deleted, recover");
const backup = await client.backupSecret(name);
const deletion = await client.beginDeleteSecret(name, polling);
const deleted = await deletion.pollUntilDone();
assert.ok(deleted.scheduledPurgeDate > deleted.deletedOn);
assert.deepEqual(await status(client.getSecret(name)), [404, "SecretNotFound"]);
assert.equal((await client.getDeletedSecret(name)).name, name);
assert.ok((await collect(client.listDeletedSecrets())).some((each) => each.name === name));
const recovery = await client.beginRecoverDeletedSecret(name, polling);
await recovery.pollUntilDone();
assert.equal((await client.getSecret(name)).value, "two");

step("purge, restore");
await (await client.beginDeleteSecret(name, polling)).pollUntilDone();
await client.purgeDeletedSecret(name);
assert.deepEqual(await status(client.getDeletedSecret(name)), [404, "SecretNotFound"]);
await client.restoreSecretBackup(backup);
assert.equal((await client.getSecret(name)).value, "two");
assert.equal((await collect(client.listPropertiesOfSecretVersions(name))).length, 2);

step("sign in by the environment");
const byEnvironment = new SecretClient(VAULT_URL, new DefaultAzureCredential({ disableInstanceDiscovery: true }));
assert.equal((await byEnvironment.getSecret(name)).value, "two");

step("a wrong secret is refused");
const wrong = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, "wrong", options);
await assert.rejects(new SecretClient(VAULT_URL, wrong).getSecret(name), /AADSTS7000215/);
