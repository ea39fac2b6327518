// Every operation of keys by the unmodified JavaScript clients, and each algorithm that they know, in both directions:
// what is made here by the client alone or by Node's own library is read by the server, and the reverse. Ends with 0.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { collect, credential, polling, status, step } from "./session.mjs";

const { VAULT_URL, CANARY = "what nobody else may read" } = process.env;
const client = new KeyClient(VAULT_URL, credential);
const plain = Buffer.from(CANARY);
const hashes = { 256: "sha256", 384: "sha384", 512: "sha512" };
const curves = { ES256: "P-256", ES256K: "P-256K", ES384: "P-384", ES512: "P-521" };
let made = 0;
const newName = () => `node-key-${process.pid}-${made++}`;

// --- who does the work: the client by itself, the server, or Node's library on the public key

const alone = (key) => new CryptographyClient(key.key);

function remote(key) {
  // As one that may not read the key, and so leaves all of the work to the server.
  const asking = new CryptographyClient(key.id, credential);
  asking.key = { kind: "remoteOnlyIdentifier", value: key.id };
  return asking;
}

function publicKey(key) {
  const text = (octets) => octets && Buffer.from(octets).toString("base64url");
  const { n, e, x, y, crv } = key.key;
  const named = crv === "P-256K" ? "secp256k1" : crv;
  const jwk = n ? { kty: "RSA", n: text(n), e: text(e) } : { kty: "EC", crv: named, x: text(x), y: text(y) };
  return crypto.createPublicKey({ format: "jwk", key: jwk });
}

function options(algorithm, key) {
  const padding = { PS: crypto.constants.RSA_PKCS1_PSS_PADDING, RS: crypto.constants.RSA_PKCS1_PADDING };
  const saltLength = crypto.constants.RSA_PSS_SALTLEN_DIGEST;
  return { key, padding: padding[algorithm.slice(0, 2)], saltLength, dsaEncoding: "ieee-p1363" };
}

const hashOf = (algorithm) => hashes[algorithm.slice(2, 5)];
const digestOf = (algorithm, said) => crypto.createHash(hashOf(algorithm)).update(said).digest();

// --- the life of a key

step("create, get, list, update");
const name = newName();
const first = await client.createEcKey(name, { curve: "P-384", tags: { team: "blue" }, enabled: false });
assert.deepEqual([first.keyType, first.key.crv, first.properties.tags], ["EC", "P-384", { team: "blue" }]);
const life = { notBefore: new Date(1e12), expiresOn: new Date(2e12), keyOps: ["sign", "verify"] };
const second = await client.createRsaKey(name, { keySize: 3072, ...life });
assert.deepEqual([second.keyType, second.key.n.length, second.keyOperations], ["RSA", 384, ["sign", "verify"]]);
assert.equal(second.properties.expiresOn.getTime(), 2e12);
assert.deepEqual([second.properties.hsmPlatform, second.properties.exportable], ["0", false]);
assert.equal(second.properties.recoveryLevel, "Recoverable+Purgeable");
assert.equal((await client.getKey(name)).id, second.id);
const old = await client.getKey(name, { version: first.properties.version });
assert.deepEqual([old.id, Buffer.from(old.key.x)], [first.id, Buffer.from(first.key.x)]);
const asked = [await client.getKeyAttestation(name), await client.getKeyAttestation(name, old.properties)];
assert.deepEqual(asked.map((each) => each.id), [second.id, first.id]);
assert.ok(asked.every((each) => each.properties.attestation === undefined));
const edited = await client.updateKeyProperties(name, first.properties.version, { enabled: true, tags: { a: "1" } });
assert.deepEqual([edited.properties.enabled, edited.properties.tags], [true, { a: "1" }]);
assert.deepEqual((await client.updateKeyProperties(name, { keyOps: ["verify"] })).keyOperations, ["verify"]);
const versions = await collect(client.listPropertiesOfKeyVersions(name));
assert.deepEqual(versions.map((each) => each.id).sort(), [first.id, second.id].sort());
assert.ok((await collect(client.listPropertiesOfKeys())).some((each) => each.name === name));
for await (const page of client.listPropertiesOfKeys().byPage({ maxPageSize: 1 })) assert.ok(page.length <= 1);

step("rotation policy, rotate");
await client.updateKeyRotationPolicy(name, {
  expiresIn: "P90D",
  lifetimeActions: [{ action: "Rotate", timeBeforeExpiry: "P30D" }],
});
const policy = await client.getKeyRotationPolicy(name);
assert.equal(policy.expiresIn, "P90D");
const rotation = policy.lifetimeActions.find((each) => each.action === "Rotate");
assert.equal(rotation.timeBeforeExpiry, "P30D");
const rotated = await client.rotateKey(name);
assert.notEqual(rotated.properties.version, second.properties.version);
assert.deepEqual([rotated.keyType, rotated.key.n.length], ["RSA", 384]);
assert.notDeepEqual(rotated.key.n, second.key.n);
assert.equal(rotated.properties.expiresOn - rotated.properties.createdOn, 90 * 86400 * 1000);

step("backup, delete, list deleted, recover");
const backup = await client.backupKey(name);
assert.deepEqual(await status(client.restoreKeyBackup(backup)), [409, "Conflict"]);
const deleted = await (await client.beginDeleteKey(name, polling)).pollUntilDone();
assert.ok(deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn);
assert.deepEqual(await status(client.getKey(name)), [404, "KeyNotFound"]);
assert.deepEqual(await status(client.createEcKey(name)), [409, "Conflict"]);
assert.equal((await client.getDeletedKey(name)).id, rotated.id);
assert.ok((await collect(client.listDeletedKeys())).some((each) => each.name === name));
assert.equal((await (await client.beginRecoverDeletedKey(name, polling)).pollUntilDone()).id, rotated.id);

step("purge, restore");
await (await client.beginDeleteKey(name, polling)).pollUntilDone();
await client.purgeDeletedKey(name);
assert.deepEqual(await status(client.getDeletedKey(name)), [404, "KeyNotFound"]);
assert.equal((await client.restoreKeyBackup(backup)).id, rotated.id);
assert.equal((await collect(client.listPropertiesOfKeyVersions(name))).length, 3);

// --- what keys do

step("RSA encrypts and wraps");
const rsa = await client.createRsaKey(newName());
for (const algorithm of ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"]) {
  const makers = algorithm === "RSA-OAEP-256" ? [remote(rsa)] : [remote(rsa), alone(rsa)];
  for (const maker of makers) {
    const sealed = await maker.encrypt(algorithm, plain);
    assert.deepEqual(Buffer.from((await remote(rsa).decrypt(algorithm, sealed.result)).result), plain);
    const wrapped = await maker.wrapKey(algorithm, plain);
    assert.deepEqual(Buffer.from((await remote(rsa).unwrapKey(algorithm, wrapped.result)).result), plain);
  }
}
const oaep = { key: publicKey(rsa), padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
const byNode = crypto.publicEncrypt(oaep, plain);
assert.deepEqual(Buffer.from((await remote(rsa).decrypt("RSA-OAEP-256", byNode)).result), plain);
assert.deepEqual(await status(remote(rsa).decrypt("RSA-OAEP", byNode)), [400, "BadParameter"]);

async function verifyAll(algorithm, key, signature, said) {
  const digest = digestOf(algorithm, said);
  const found = [
    (await remote(key).verify(algorithm, digest, signature)).result,
    (await remote(key).verifyData(algorithm, said, signature)).result,
    crypto.verify(hashOf(algorithm), said, options(algorithm, publicKey(key)), signature),
  ];
  // By itself the client verifies RS*. It takes PS* as its own too, but checks those as if they were RS*: docs/clients.md.
  if (algorithm.startsWith("RS")) found.push((await alone(key).verifyData(algorithm, said, signature)).result);
  return found;
}

step("signatures of every algorithm are verified by the server, the client, and Node");
for (const algorithm of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", ...Object.keys(curves)]) {
  const key = algorithm in curves ? await client.createEcKey(newName(), { curve: curves[algorithm] }) : rsa;
  const signed = [
    await remote(key).sign(algorithm, digestOf(algorithm, plain)),
    await remote(key).signData(algorithm, plain),
  ];
  for (const { result, keyID } of signed) {
    assert.equal(keyID, key.id);
    assert.ok((await verifyAll(algorithm, key, result, plain)).every((each) => each === true), algorithm);
    const others = Buffer.from("other");
    assert.ok((await verifyAll(algorithm, key, result, others)).every((each) => each === false), algorithm);
  }
}
const bare = await remote(rsa).sign("RSNULL", plain);
assert.equal((await remote(rsa).verify("RSNULL", plain, bare.result)).result, true);
assert.deepEqual(crypto.publicDecrypt(publicKey(rsa), bare.result), plain);

step("imported keys sign and decrypt for their maker");
for (const [algorithm, curve] of Object.entries(curves)) {
  const pair = crypto.generateKeyPairSync("ec", { namedCurve: curve === "P-256K" ? "secp256k1" : curve });
  const { x, y, d } = pair.privateKey.export({ format: "jwk" });
  const octets = (text) => Buffer.from(text, "base64url");
  const jwk = { kty: "EC", crv: curve, x: octets(x), y: octets(y), d: octets(d) };
  const key = await client.importKey(newName(), jwk);
  assert.equal(key.key.d, undefined);
  const { result } = await remote(key).signData(algorithm, plain);
  assert.ok(crypto.verify(hashOf(algorithm), plain, options(algorithm, pair.publicKey), result));
  const own = crypto.sign(hashOf(algorithm), plain, options(algorithm, pair.privateKey));
  assert.equal((await remote(key).verifyData(algorithm, plain, own)).result, true);
}
const pair = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
const parts = pair.privateKey.export({ format: "jwk" });
const jwk = { kty: "RSA" };
for (const part of ["n", "e", "d", "p", "q", "dp", "dq", "qi"]) jwk[part] = Buffer.from(parts[part], "base64url");
const taken = await client.importKey(newName(), jwk, { hardwareProtected: true, tags: { a: "1" } });
assert.deepEqual([taken.keyType, taken.properties.tags], ["RSA-HSM", { a: "1" }]);
const sealed = crypto.publicEncrypt({ key: pair.publicKey, padding: crypto.constants.RSA_PKCS1_OAEP_PADDING }, plain);
assert.deepEqual(Buffer.from((await remote(taken).decrypt("RSA-OAEP", sealed)).result), plain);

step("AES encrypts and wraps, alike here and there");
const aad = Buffer.from("additional"), iv = crypto.randomBytes(16), whole = crypto.randomBytes(32);
for (const size of [128, 192, 256]) {
  const k = crypto.randomBytes(size / 8);
  const key = await client.importKey(newName(), { kty: "oct-HSM", k }, { hardwareProtected: true });
  assert.equal(key.key.k, undefined);
  const here = new CryptographyClient({ kty: "oct", k, keyOps: ["encrypt", "decrypt"] });
  const there = remote(key);
  const reads = async (who, how) => Buffer.from((await who.decrypt(how)).result);

  const padded = `A${size}CBCPAD`;
  for (const [maker, reader] of [[here, there], [there, here], [there, there]]) {
    const { result } = await maker.encrypt({ algorithm: padded, plaintext: plain, iv });
    assert.deepEqual(await reads(reader, { algorithm: padded, ciphertext: result, iv }), plain);
  }
  const cbc = await there.encrypt({ algorithm: `A${size}CBC`, plaintext: whole, iv });
  assert.deepEqual(await reads(there, { algorithm: `A${size}CBC`, ciphertext: cbc.result, iv }), whole);

  const gcm = await there.encrypt({ algorithm: `A${size}GCM`, plaintext: plain, additionalAuthenticatedData: aad });
  const decipher = crypto.createDecipheriv(`aes-${size}-gcm`, k, gcm.iv).setAAD(aad).setAuthTag(gcm.authenticationTag);
  assert.deepEqual(Buffer.concat([decipher.update(gcm.result), decipher.final()]), plain);
  const nonce = crypto.randomBytes(12);
  const cipher = crypto.createCipheriv(`aes-${size}-gcm`, k, nonce).setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  const opened = { algorithm: `A${size}GCM`, ciphertext, iv: nonce, additionalAuthenticatedData: aad };
  assert.deepEqual(await reads(there, { ...opened, authenticationTag: cipher.getAuthTag() }), plain);
  const spoiled = { ...opened, authenticationTag: crypto.randomBytes(16) };
  assert.deepEqual(await status(there.decrypt(spoiled)), [400, "BadParameter"]);

  const wrapped = await there.wrapKey(`A${size}KW`, whole);
  const wrapping = crypto.createCipheriv(`id-aes${size}-wrap`, k, Buffer.alloc(8, 0xa6));
  assert.deepEqual(Buffer.from(wrapped.result), Buffer.concat([wrapping.update(whole), wrapping.final()]));
  assert.deepEqual(Buffer.from((await there.unwrapKey(`A${size}KW`, wrapped.result)).result), whole);
}

step("what a key may not do is refused, with the service's code");
const disabled = await client.createEcKey(newName(), { enabled: false });
assert.deepEqual(await status(remote(disabled).signData("ES256", plain)), [403, "Forbidden"]);
assert.deepEqual(await status(remote(rsa).signData("ES256", plain)), [400, "BadParameter"]);
assert.deepEqual(await status(client.createOctKey(newName())), [400, "BadParameter"]);
assert.deepEqual(await status(client.createRsaKey(newName(), { keySize: 1024 })), [400, "BadParameter"]);
