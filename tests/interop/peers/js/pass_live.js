// Live tokens between our library (pass_peer) and Cloudflare's JavaScript (voprf-ts, privacypass-ts): each side once as
// client and once as issuer, fresh keys every round; each token is judged by both, and each transcript once with a bit
// changed. The challenge is worked out here from its description, so that our own derivation is checked too.
//
// --peer=PROGRAM [--rounds=N]. Exit code: 0, 1 when something went wrong, 77 when the packages do not run here.
"use strict";
const { spawn } = require("node:child_process");
const { createHash, randomBytes, randomInt, webcrypto } = require("node:crypto");
const path = require("node:path");
const readline = require("node:readline");
const { pathToFileURL } = require("node:url");
const { flags } = require("./testservice.js");

const given = flags();
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const u16 = (n) => Buffer.from([n >> 8, n & 255]);
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const base64url = (b) => b.toString("base64").replace(/\+/g, "-").replace(/\//g, "_"); // padded
const vec = (b) => Buffer.concat([b.length < 64 ? Buffer.from([b.length]) : u16(0x4000 | b.length), b]);
let checks = 0;

function must(condition, what) {
  checks++;
  if (!condition) throw new Error(what);
}

// Our half: a line each way.
function ours() {
  const child = spawn(given.peer, [], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (...words) => {
    child.stdin.write(words.join(" ") + "\n");
    const { value, done } = await lines.next();
    if (done) throw new Error(`pass_peer ended at ${words[0]}`);
    const [status, ...rest] = value.split(" ");
    return { ok: status === "ok", error: status === "ok" ? null : rest[0], values: rest };
  };
  const good = async (...words) => {
    const answer = await ask(...words);
    must(answer.ok, `${words[0]}: ${answer.error}`);
    return answer.values;
  };
  return { ask, good, end: () => child.stdin.end() };
}

function flip(bytes, from = 0) {
  const copy = Buffer.from(bytes);
  copy[from + randomInt(copy.length - from)] ^= 1 << randomInt(8);
  return copy;
}

async function refused(promise) {
  try {
    return (await promise) === false;
  } catch {
    return true;
  }
}

// ---- type 0x0005 ----------------------------------------------------------------------------------------------

function inputsOf(domain, kind, period, key, nonces) {
  const name = Buffer.from(domain), context = sha256(Buffer.from("Hearth tok 1"), Buffer.from([kind]), u32(period), key);
  const challenge = Buffer.concat([u16(5), u16(name.length), name, Buffer.from([32]), context, u16(name.length), name]);
  return nonces.map((nonce) => new Uint8Array(Buffer.concat([u16(5), nonce, sha256(challenge), sha256(key)])));
}

// Their client, our issuer.
async function theirOrder(us, v, count) {
  const domain = `t${randomInt(1000)}.test`, kind = 1 + randomInt(5), period = randomInt(2 ** 31);
  const key = unhex((await us.good("issuer", domain, kind, period, hex(randomBytes(32))))[0]);
  const client = new v.VOPRFClient(v.suite, key, v.crypto);
  const nonces = Array.from({ length: count }, () => randomBytes(32)), inputs = inputsOf(domain, kind, period, key, nonces);
  const [kept, request] = await client.blind(inputs);
  const body = Buffer.concat([u16(5), sha256(key).subarray(31), vec(Buffer.concat(request.blinded.map((e) => e.serialize(true))))]);
  const response = Buffer.from(unhex((await us.good("issue", hex(body)))[0]));
  const evaluation = (bytes) => {
    const skip = count * 32 < 64 ? 1 : 2, elements = bytes.subarray(skip, skip + 32 * count);
    must(bytes.length === skip + 32 * count + 64, "length of our response");
    return v.Evaluation.deserialize(v.suite, new Uint8Array(Buffer.concat([u16(count), elements, Buffer.from([1]),
      bytes.subarray(skip + 32 * count)])), v.crypto);
  };
  const outputs = await client.finalize(kept, evaluation(response));
  for (let i = 0; i < count; i++) {
    const token = Buffer.concat([inputs[i], outputs[i]]), short = Buffer.concat([Buffer.from([kind]), u32(period), nonces[i], outputs[i]]);
    const header = (bytes) => hex(Buffer.from(`PrivateToken token="${base64url(bytes)}"`));
    await us.good("redeem", header(token));
    await us.good("redeem_short", hex(short));
    must(!(await us.ask("redeem", header(flip(token)))).ok, "a changed token is accepted");
    must(!(await us.ask("redeem_short", hex(flip(short, 5)))).ok, "a changed short token is accepted");
  }
  must(await refused((async () => client.finalize(kept, evaluation(flip(response, 2))))()), "they take our changed answer");
  const answer = await us.ask("issue", hex(Buffer.concat([body.subarray(0, 2), Buffer.from([body[2] ^ 1]), body.subarray(3)])));
  must(answer.error === "PASS_KEY", "another key's request is answered");
}

// Our client, their issuer.
async function ourOrder(us, v, count) {
  const domain = `t${randomInt(1000)}.test`, kind = 1 + randomInt(5), period = randomInt(2 ** 31);
  const secret = await v.randomPrivateKey(v.suite, v.crypto), key = v.generatePublicKey(v.suite, secret, v.crypto);
  const server = new v.VOPRFServer(v.suite, secret, v.crypto);
  const request = unhex((await us.good("order", domain, kind, period, hex(key), count))[0]);
  const skip = 3 + (count * 32 < 64 ? 1 : 2);
  must(request[2] === sha256(key)[31] && request.length === skip + 32 * count, "form of our request");
  const blinded = v.EvaluationRequest.deserialize(v.suite, new Uint8Array(Buffer.concat([u16(count), request.subarray(skip)])), v.crypto);
  const evaluation = await server.blindEvaluate(blinded);
  const response = Buffer.concat([vec(Buffer.concat(evaluation.evaluated.map((e) => e.serialize(true)))), evaluation.proof.serialize()]);
  must(!(await us.ask("finish", hex(flip(response)))).ok, "we take their changed answer");
  const tokens = await us.good("finish", hex(response));
  must(tokens.length === count, "number of tokens");
  for (const token of tokens.map(unhex)) {
    must(hex(token.subarray(0, 98)) === hex(inputsOf(domain, kind, period, key, [token.subarray(2, 34)])[0]), "token_input");
    must(await server.verifyFinalize(token.subarray(0, 98), token.subarray(98)), "they refuse our token");
    must(await refused(server.verifyFinalize(token.subarray(0, 98), new Uint8Array(flip(token.subarray(98))))), "they take a changed token");
  }
}

// ---- type 0x0002 ----------------------------------------------------------------------------------------------

function voucherContext(kind, week) {
  return new Uint8Array(sha256(Buffer.from("Hearth voucher 1"), Buffer.from([kind]), u32(week)));
}

async function vouchers(us, p) {
  const mode = p.publicVerif.BlindRSAMode.PSS, type = p.TOKEN_TYPES.BLIND_RSA;
  const home = "a.test", visited = "b.test", kind = 1 + randomInt(5), week = randomInt(2 ** 31);
  const challenge = new p.TokenChallenge(type.value, home, voucherContext(kind, week), [visited]);
  // their client, our issuer
  const spki = unhex((await us.good("voucher_issuer"))[0]);
  const client = new p.publicVerif.Client(mode);
  const request = await client.createTokenRequest(challenge, spki);
  const response = unhex((await us.good("voucher_issue", hex(request.serialize())))[0]);
  const token = (await client.finalize(p.publicVerif.TokenResponse.deserialize(response))).serialize();
  await us.good("voucher_check", home, visited, kind, week, hex(token));
  must((await us.ask("voucher_check", home, "c.test", kind, week, hex(token))).error === "PASS_KEY", "good elsewhere");
  must(!(await us.ask("voucher_check", home, visited, kind, week, hex(flip(token)))).ok, "a changed voucher is accepted");
  // our client, their issuer
  const pair = await p.publicVerif.Issuer.generateKey(mode, { modulusLength: 2048, publicExponent: Uint8Array.from([1, 0, 1]) });
  const issuer = new p.publicVerif.Issuer(mode, home, pair.privateKey, pair.publicKey), origin = new p.publicVerif.Origin(mode, [visited]);
  const order = unhex((await us.good("voucher_order", hex(await p.publicVerif.getPublicKeyBytes(pair.publicKey)), home, visited, kind, week))[0]);
  const answer = (await issuer.issue(p.publicVerif.TokenRequest.deserialize(type, order))).serialize();
  must((await us.ask("voucher_finish", hex(flip(answer)))).error === "CRYPTO_SIGNATURE", "we take their changed answer");
  const voucher = unhex((await us.good("voucher_finish", hex(answer)))[0]);
  const header = Buffer.from(unhex((await us.good("header", hex(voucher)))[0])).toString();
  const [parsed] = p.AuthorizationHeader.parse(type, header);
  must(hex(parsed.token.serialize()) === hex(voucher), "our header, as they read it");
  must(await origin.verify(parsed.token, pair.publicKey), "they refuse our voucher");
  must(hex(voucher.subarray(34, 66)) === hex(sha256(challenge.serialize())), "challenge digest");
  // their header, as we read it (it is no type-5 token, which is known only after reading)
  const theirs = new p.AuthorizationHeader(parsed.token).toString(true);
  must((await us.ask("redeem", hex(Buffer.from(theirs)))).error === "PASS_TYPE", "their header, as we read it");
}

async function main() {
  let v, p;
  try {
    const voprf = require("@cloudflare/voprf-ts");
    v = { ...voprf, suite: voprf.Oprf.Suite.RISTRETTO255_SHA512, crypto: require("@cloudflare/voprf-ts/crypto-noble").CryptoNoble };
    globalThis.crypto ??= webcrypto;
    p = await import(pathToFileURL(path.join(process.env.NODE_PATH, "@cloudflare/privacypass-ts/lib/src/index.js")));
  } catch (error) {
    console.log(`SKIP the packages do not run on node ${process.version}: ${error.message.split("\n")[0]}`);
    process.exit(77);
  }
  const us = ours(), rounds = Number(given.rounds || 3);
  for (let round = 0; round < rounds; round++)
    for (const count of [1, 2, 3, 10]) {
      await theirOrder(us, v, count);
      await ourOrder(us, v, count);
    }
  await theirOrder(us, v, 100);
  await ourOrder(us, v, 100);
  for (let round = 0; round < rounds; round++) await vouchers(us, p);
  us.end();
  console.log(`tokens and vouchers, both ways: ${checks} checks`);
}

main().catch((error) => { console.log(error); process.exit(1); });
