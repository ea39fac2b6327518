// Every operation of secrets by the unmodified JavaScript clients, challenge verification on. Ends with 0 when all did.
import assert from "node:assert/strict";
import { DefaultAzureCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
import { collect, credential, credentialWith, polling, status, step } from "./session.mjs";

const { VAULT_URL } = process.env;
const client = new SecretClient(VAULT_URL, credential);
const name = `node-${process.pid}`;

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
await assert.rejects(new SecretClient(VAULT_URL, credentialWith("wrong")).getSecret(name), /AADSTS7000215/);
