// Members of ts-mls 1.6 (npm), in this process.
//
// Its faults that are worked around here, never by our code: external_pub without its length (both ways), ECDSA keys
// compressed, unmerged_leaves judged by equality when it joins (such a joiner is taken out again), Updates not offered,
// no path for a lone GroupContextExtensions (so only ours commit these), a removed member whose leaf an Add of the same
// commit takes does not see that it was removed, one DeriveSecret too many for the commit_secret when the root is not on
// the filtered direct path (RFC 9420 12.4.1 takes the last path secret there is; so no half of the tree is emptied).
"use strict";
const assert = require("assert");
const path = require("path");
const { pathToFileURL } = require("url");
const { PSKS, pskKey } = require("./common.js");

const NON_BLANK = /non-blank intermediate node must list leaf node/;
const REFILLED = /No overlap between provided private keys and update path/;
const CAN = ["add", "remove", "externalPSK", "resumptionPSK", "propose", "info"];
let ts, createGroupInfo, encodeTree;

async function load() {
  globalThis.crypto ??= require("crypto").webcrypto; // node 18
  const folder = path.join(process.env.NODE_PATH, "ts-mls", "dist", "src");
  const module = (name) => import(pathToFileURL(path.join(folder, name)).href);
  ts = await module("index.js");
  ({ createGroupInfo } = await module("createCommit.js"));
  const { encodeRatchetTree, ratchetTreeEncoder } = await module("ratchetTree.js");
  const { encode } = await module("codec/tlsEncoder.js");
  encodeTree = encodeRatchetTree ?? encode(ratchetTreeEncoder);
}

async function groupInfo(state, cs) {
  const pair = await cs.hpke.deriveKeyPair(state.keySchedule.externalSecret);
  const key = Buffer.from(await cs.hpke.exportPublicKey(pair.publicKey));
  const length = key.length < 64 ? [key.length] : [0x40 | key.length >> 8, key.length & 255];
  return createGroupInfo(state.groupContext, state.confirmationTag, state, [
    { extensionType: "external_pub", extensionData: new Uint8Array([...length, ...key]) },
    { extensionType: "ratchet_tree", extensionData: encodeTree(state.ratchetTree) }], cs);
}

async function suite(id) {
  const name = Object.keys(ts.ciphersuites).find((n) => ts.ciphersuites[n] === id);
  const cs = await ts.getCiphersuiteImpl(ts.getCiphersuiteFromName(name));
  const pair = await cs.hpke.generateKeyPair();
  const size = (await cs.hpke.exportPublicKey(pair.publicKey)).length;
  const hpke = { ...cs.hpke, importPublicKey: (key) => cs.hpke.importPublicKey(
    key.length === size ? key : key.slice(key.length - size)) };
  let signature = cs.signature;
  const curve = { 2: "p256", 5: "p521", 7: "p384" }[id];
  if (curve) {
    const found = (await import(pathToFileURL(path.join(process.env.NODE_PATH, "@noble", "curves", "nist.js")).href))[curve];
    signature = { ...signature, async keygen() {
      const { signKey } = await cs.signature.keygen();
      return { signKey, publicKey: found.getPublicKey(signKey, false) };
    } };
  }
  return { ...cs, hpke, signature };
}

const mlsMessage = (wireformat, field, value) =>
  Buffer.from(ts.encodeMlsMessage({ version: "mls10", wireformat, [field]: value }));
const parsed = (bytes) => {
  const found = ts.decodeMlsMessage(new Uint8Array(bytes), 0);
  assert.ok(found && found[1] === bytes.length, "the peer can't read a message of ours");
  return found[0];
};

class Member {
  constructor(world, name) { Object.assign(this, { world, name, ours: false, cs: world.cs }); }
  can(what) { return CAN.includes(what); }
  get credential() { return { credentialType: "basic", identity: new TextEncoder().encode(this.name) }; }
  async fresh() {
    const now = BigInt(Math.floor(Date.now() / 1000));
    this.signing ??= await this.cs.signature.keygen();
    const kp = await ts.generateKeyPackageWithKey(this.credential, ts.defaultCapabilities(),
      { notBefore: now - 3600n, notAfter: now + 86400n * 30n }, [], this.signing, this.cs);
    this.bundle = kp;
    return kp;
  }
  index() {
    return ts.makePskIndex(this.state,
      Object.fromEntries(PSKS.map((id) => [Buffer.from(id).toString("base64"), new Uint8Array(pskKey(id))])));
  }
  async create(groupId) {
    const kp = await this.fresh();
    this.state = await ts.createGroup(new Uint8Array(groupId), kp.publicPackage, kp.privatePackage, [], this.cs);
  }
  async keyPackage() { return mlsMessage("mls_key_package", "keyPackage", (await this.fresh()).publicPackage); }
  async join(welcome) {
    this.state = await ts.joinGroup(parsed(welcome).welcome, this.bundle.publicPackage, this.bundle.privatePackage,
      this.index(), this.cs);
  }
  async joinExternal(info, resync) {
    const kp = await this.fresh();
    const joined = await ts.joinGroupExternal(parsed(info).groupInfo, kp.publicPackage, kp.privatePackage, resync, this.cs);
    this.state = joined.newState;
    return mlsMessage("mls_public_message", "publicMessage", joined.publicMessage);
  }
  leafOf(name) {
    return this.state.ratchetTree.findIndex((node) => node?.nodeType === "leaf" &&
      Buffer.from(node.leaf.credential.identity).toString() === name) / 2;
  }
  proposal(p) {
    const psk = (preSharedKeyId) => ({ proposalType: "psk", psk: { preSharedKeyId: { ...preSharedKeyId,
      pskNonce: this.cs.rng.randomBytes(this.cs.kdf.size) } } });
    switch (p.kind) {
    case "add": return { proposalType: "add", add: { keyPackage: parsed(p.keyPackage).keyPackage } };
    case "remove": return { proposalType: "remove", remove: { removed: this.leafOf(p.name) } };
    case "externalPSK": return psk({ psktype: "external", pskId: new TextEncoder().encode(p.id) });
    default: return psk({ psktype: "resumption", usage: "application", pskEpoch: BigInt(p.epoch),
      pskGroupId: this.state.groupContext.groupId });
    }
  }
  async propose(p) {
    const made = await ts.createProposal(this.state, this.world.public, this.proposal(p), this.cs);
    this.state = made.newState;
    return Buffer.from(ts.encodeMlsMessage(made.message));
  }
  async hear(message) { await this.take(parsed(message)); }
  async take(m) {
    const done = m.wireformat === "mls_public_message"
      ? await ts.processPublicMessage(this.state, m.publicMessage, this.index(), this.cs)
      : await ts.processPrivateMessage(this.state, m.privateMessage, this.index(), this.cs);
    this.state = done.newState;
    return done;
  }
  async commit(_references, values) {
    const made = await ts.createCommit({ state: this.state, pskIndex: this.index(), cipherSuite: this.cs },
      { wireAsPublicMessage: this.world.public, ratchetTreeExtension: true,
        extraProposals: values.map((p) => this.proposal(p)) });
    this.next = made.newState;
    return { commit: Buffer.from(ts.encodeMlsMessage(made.commit)),
      welcome: made.welcome ? mlsMessage("mls_welcome", "welcome", made.welcome) : Buffer.alloc(0) };
  }
  async merge() { this.state = this.next; }
  async handle(commit) { await this.take(parsed(commit)); }
  async info() { return mlsMessage("mls_group_info", "groupInfo", await groupInfo(this.state, this.cs)); }
  async protect(data, aad) {
    const made = await ts.createApplicationMessage(this.state, new Uint8Array(data), this.cs, new Uint8Array(aad));
    this.state = made.newState;
    return mlsMessage("mls_private_message", "privateMessage", made.privateMessage);
  }
  async unprotect(message) {
    const done = await this.take(parsed(message));
    assert.strictEqual(done.kind, "applicationMessage");
    return done.message;
  }
  async authenticator() { return this.state.keySchedule.epochAuthenticator; }
  exporter(label, context, length) {
    return ts.mlsExporter(this.state.keySchedule.exporterSecret, label, new Uint8Array(context), length, this.cs);
  }
  context() { return this.state.groupContext; }
  halfEmpty(gone) { // the left half of the tree once these names are; the right one is cut off
    const left = [];
    this.state.ratchetTree.forEach((node, index) => {
      if (node?.nodeType === "leaf" && !gone.includes(Buffer.from(node.leaf.credential.identity).toString()))
        left.push(index / 2);
    });
    let width = 1;
    while (width <= Math.max(...left)) width *= 2;
    return width > 1 && Math.min(...left) >= width / 2;
  }
  free() {}
}

module.exports = { name: "ts-mls", suites: [1, 2, 3, 4, 5, 6, 7], load, suite, Member,
  faultAtJoin: (error) => NON_BLANK.test(error.message), faultWhenRemoved: (error) => REFILLED.test(error.message) };
