// What every program here begins with: the credential, as a user writes it, and a few words.
// What a rehearsal server takes is `disableInstanceDiscovery`: without it the client would ask the public cloud whether
// our sign-in host is one of its.
import assert from "node:assert/strict";
import { ClientSecretCredential } from "@azure/identity";

const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST } = process.env;
export const options = { authorityHost: AZURE_AUTHORITY_HOST, disableInstanceDiscovery: true };
export const credential = credentialWith(AZURE_CLIENT_SECRET);
export const polling = { intervalInMs: 100 };

export function credentialWith(secret) {
  return new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, secret, options);
}

export async function collect(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

export async function status(promise) {
  const error = await promise.then(() => assert.fail("it was not refused"), (caught) => caught);
  return [error.statusCode, error.code];
}

export const step = (title) => console.log(title);
