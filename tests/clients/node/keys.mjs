// Every operation of keys by the unmodified JavaScript clients, the cryptography in both directions: what the client does
// by itself (encrypt, wrap, verify, from the public key) and what it asks the server for. Ends with 0 when all did.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { ClientSecretCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";

const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST, VAULT_URL } = process.env;
const options = { authorityHost: AZURE_AUTHORITY_HOST, disableInstanceDiscovery: true };
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, options);
const client = new KeyClient(VAULT_URL, credential);
const polling = { intervalInMs: 100 };
const name = `node-key-${process.pid}`;
const plain = Buffer.from("what nobody else may read");

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
const digest = (algorithm) => createHash(`sha${algorithm.slice(2, 5)}`).update(plain).digest();
const local = (key) => new CryptographyClient(key.key);
const remote = (key) => new CryptographyClient(key.id, credential);
const bytes = (found) => Buffer.from(found);

step("create, get, update, list");
const rsa = await client.createRsaKey(name, { keySize: 2048, tags: { team: "blue" } });
assert.equal(rsa.keyType, "RSA");
assert.equal(rsa.key.n.length, 256);
assert.equal((await client.getKey(name)).id, rsa.id);
const updated = await client.updateKeyProperties(name, rsa.properties.version, { tags: { team: "red" } });
assert.deepEqual(updated.properties.tags, { team: "red" });
assert.ok((await collect(client.listPropertiesOfKeys())).some((each) => each.name === name));

step("encrypt, decrypt");
for (const algorithm of ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"]) {
  const asked = await remote(rsa).encrypt({ algorithm, plaintext: plain });
  assert.deepEqual(bytes((await remote(rsa).decrypt({ algorithm, ciphertext: asked.result })).result), plain);
}
for (const algorithm of ["RSA-OAEP", "RSA1_5"]) {
  const { result } = await local(rsa).encrypt({ algorithm, plaintext: plain });
  assert.deepEqual(bytes((await remote(rsa).decrypt({ algorithm, ciphertext: result })).result), plain);
}

step("wrap, unwrap");
for (const algorithm of ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"]) {
  const wrapped = await remote(rsa).wrapKey(algorithm, plain);
  assert.deepEqual(bytes((await remote(rsa).unwrapKey(algorithm, wrapped.result)).result), plain);
}

step("sign, verify");
const curves = { ES256: "P-256", ES256K: "P-256K", ES384: "P-384", ES512: "P-521" };
for (const algorithm of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", ...Object.keys(curves)]) {
  const curve = curves[algorithm];
  const key = curve ? await client.createEcKey(`${name}-${curve}`, { curve }) : rsa;
  const { result } = await remote(key).sign(algorithm, digest(algorithm));
  assert.equal((await remote(key).verify(algorithm, digest(algorithm), result)).result, true);
  const other = Buffer.alloc(digest(algorithm).length);
  assert.equal((await remote(key).verify(algorithm, other, result)).result, false);
}
const signed = await remote(rsa).signData("RS256", plain);
assert.equal((await local(rsa).verifyData("RS256", plain, signed.result)).result, true);

step("import");
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = Object.fromEntries(
  Object.entries(privateKey.export({ format: "jwk" })).map(([member, value]) =>
    ["kty", "crv"].includes(member) ? [member, value] : [member, Buffer.from(value, "base64url")],
  ),
);
const imported = await client.importKey(`${name}-imported`, jwk);
assert.deepEqual(bytes(imported.key.x), jwk.x);
assert.equal((await remote(imported).sign("ES256", digest("ES256"))).result.length, 64);

step("rotate, rotation policy");
await client.updateKeyRotationPolicy(name, {
  expiresIn: "P90D",
  lifetimeActions: [{ action: "Rotate", timeBeforeExpiry: "P30D" }],
});
const policy = await client.getKeyRotationPolicy(name);
assert.equal(policy.expiresIn, "P90D");
assert.deepEqual(policy.lifetimeActions.map((each) => [each.action, each.timeBeforeExpiry]), [["Rotate", "P30D"]]);
const rotated = await client.rotateKey(name);
assert.notEqual(rotated.properties.version, rsa.properties.version);
assert.equal(rotated.properties.expiresOn - rotated.properties.createdOn, 90 * 86400 * 1000);
assert.equal((await collect(client.listPropertiesOfKeyVersions(name))).length, 2);

step("backup, delete, recover, purge, restore");
const backup = await client.backupKey(name);
await (await client.beginDeleteKey(name, polling)).pollUntilDone();
assert.deepEqual(await status(client.getKey(name)), [404, "KeyNotFound"]);
assert.ok((await collect(client.listDeletedKeys())).some((each) => each.name === name));
await (await client.beginRecoverDeletedKey(name, polling)).pollUntilDone();
await (await client.beginDeleteKey(name, polling)).pollUntilDone();
await client.purgeDeletedKey(name);
await client.restoreKeyBackup(backup);
assert.equal((await client.getKey(name)).id, rotated.id);

step("a disabled key is refused");
await client.updateKeyProperties(name, rotated.properties.version, { enabled: false });
assert.deepEqual(await status(remote(rotated).sign("RS256", digest("RS256"))), [403, "Forbidden"]);
