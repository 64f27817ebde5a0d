// What a client signs, in JavaScript: request authentication, a credential request, a first key set.
// Wire forms are TLS presentation language (docs/protocol): big-endian numbers, opaque<V> with RFC 9420's varints.
"use strict";
const crypto = require("crypto");

const CLIENT = 2, HANDLE = 3, QUEUE_USER = 4, QUEUE_CLIENT = 5;

const generate = () => crypto.generateKeyPairSync("ed25519");
const publicBytes = (pair) => pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
const sha256 = (...parts) => crypto.createHash("sha256").update(Buffer.concat(parts)).digest();

function number(bytes, value) {
  const out = Buffer.alloc(bytes);
  for (let i = bytes - 1, left = BigInt(value); i >= 0; i--, left >>= 8n) out[i] = Number(left & 255n);
  return out;
}

// opaque data<V>
function vector(data) {
  const size = data.length;
  const head = size < 64 ? number(1, size) : size < 16384 ? number(2, 0x4000 | size) : number(4, 0x80000000 + size);
  return Buffer.concat([head, data]);
}

// SignWithLabel (RFC 9420 5.1.2) with our prefix
const sign = (pair, label, content) =>
  crypto.sign(null, Buffer.concat([vector(Buffer.from("Hearth 1 " + label)), vector(content)]), pair.privateKey);

// The value of the metadata `hearth-auth-bin`.
function requestAuth(pair, kind, callerId, audience, path, body) {
  const head = Buffer.concat([number(1, 1), number(1, kind), vector(callerId), vector(Buffer.from(audience)),
    number(8, Date.now()), crypto.randomBytes(16)]);
  return Buffer.concat([head, vector(sign(pair, "Request", Buffer.concat([head, vector(Buffer.from(path)), sha256(body)])))]);
}

function credentialRequest(pair, clientId) {
  const tbs = Buffer.concat([number(1, 1), number(2, 1), vector(clientId), vector(publicBytes(pair))]);
  return Buffer.concat([tbs, vector(sign(pair, "ClientCredentialRequest", tbs))]);
}

// Version 0 of a user's client set: this client alone, which may authorise others.
function firstKeySet(pair, userId, client) {
  const label = Buffer.concat([number(1, 1), userId]), now = number(8, Date.now());
  const tbs = Buffer.concat([number(1, 1), number(1, label.length), label, number(4, 0), number(1, 0), now, number(1, 0),
    number(2, 1), number(1, client.length), client, number(2, 0x0807), number(2, 32), publicBytes(pair), now, number(1, 1),
    number(1, 0)]);
  const signature = crypto.sign(null, Buffer.concat([Buffer.from("KTL KeySet 1\0"), tbs]), pair.privateKey);
  return Buffer.concat([tbs, number(1, 1), number(1, client.length), client, number(2, 64), signature]);
}

// "a.test/K7QM-..." -> { domain, code, pin }
function invitation(text) {
  const [domain, rest] = text.split("/");
  const digits = rest.replaceAll("-", "").toUpperCase();
  let value = 0n;
  for (const digit of digits) value = value << 5n | BigInt("0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(digit));
  const data = number(32, value >> BigInt(digits.length * 5 - 256));
  return { domain, code: data.subarray(0, 16), pin: data.subarray(16) };
}

module.exports = { CLIENT, HANDLE, QUEUE_USER, QUEUE_CLIENT, generate, publicBytes, sha256, vector, requestAuth,
  credentialRequest, firstKeySet, invitation };
