// Live groups of our MLS members (mls_client, by gRPC) and members of ts-mls, in this process: random histories in
// which all must agree on every epoch, with a server's view (mls_follow) that follows the public ones.
//
// --mls_client=PROGRAM --mls_follow=PROGRAM --protos=FOLDER [--seconds=50] [--seed=N] [--suites=1,2]
// Exit code: 0, 1 when something went wrong, 77 when ts-mls does not run here.
//
// Faults of ts-mls 1.6 that are worked around, never by our code: external_pub without its length (both ways), ECDSA
// keys compressed, unmerged_leaves judged by equality when it joins (such a joiner is taken out again), Updates not
// offered, no path for a lone GroupContextExtensions (so only ours commit these), a removed member whose leaf an Add of
// the same commit takes does not see that it was removed.
"use strict";
const { spawn } = require("child_process");
const assert = require("assert");
const path = require("path");
const { pathToFileURL } = require("url");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { flags } = require("./testservice.js");

const given = flags();
const seed = Number(given.seed || Date.now() % 1000000);
const tally = { operations: 0, epochs: 0, messages: 0, late: 0, adds: 0, removes: 0, updates: 0, external: 0, resyncs: 0,
  psks: 0, extensions: 0, damaged: 0, followed: 0, peerCommits: 0, peerRefused: 0 };
const PEER_FAULT = /non-blank intermediate node must list leaf node/;
const REFILLED = /No overlap between provided private keys and update path/;
const MEMBERS_MAX = 12, PSKS = ["psk 0", "psk 1", "psk 2"];
let random = seed;
let ts, tsGroupInfo, service, children = [];

function below(n) { // xorshift; histories repeat but for keys
  random ^= random << 13; random ^= random >>> 17; random ^= random << 5; random >>>= 0;
  return random % n;
}
const chance = (percent) => below(100) < percent;
const pick = (list) => list[below(list.length)];
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const pskKey = (id) => Buffer.from(`the key of ${id}, long enough`);

function call(method, request) {
  return new Promise((resolve, reject) => {
    service[method](request, { deadline: Date.now() + 20000 },
      (error, response) => error ? reject(new Error(`${method}: ${error.details}`)) : resolve(response));
  });
}

function start(program, ...options) {
  const child = spawn(program, options, { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = [];
  let rest = "";
  child.stdout.on("data", (data) => {
    const lines = (rest + data).split("\n");
    rest = lines.pop();
    for (const line of lines) waiting.shift()?.(line);
  });
  child.on("exit", () => { for (const give of waiting) give("ended"); });
  child.line = () => new Promise((resolve) => waiting.push(resolve));
  child.ask = (text) => { const answer = child.line(); child.stdin.write(text + "\n"); return answer; };
  children.push(child);
  return child;
}

// ---- ours, behind the working group's service ---------------------------------------------------------------

class Ours {
  constructor(world, name) { Object.assign(this, { world, name, ours: true }); }
  async psks(id) {
    for (const psk of PSKS)
      await call("StorePSK", { state_or_transaction_id: id, psk_id: Buffer.from(psk), psk_secret: pskKey(psk) });
  }
  async create(groupId) {
    const made = await call("CreateGroup", { group_id: groupId, cipher_suite: this.world.suite,
      encrypt_handshake: !this.world.public, identity: Buffer.from(this.name) });
    this.id = made.state_id;
    await this.psks(this.id);
  }
  async keyPackage() {
    const made = await call("CreateKeyPackage", { cipher_suite: this.world.suite, identity: Buffer.from(this.name) });
    this.id = made.transaction_id;
    await this.psks(this.id);
    return made.key_package;
  }
  async join(welcome) {
    const joined = await call("JoinGroup", { transaction_id: this.id, welcome, encrypt_handshake: !this.world.public,
      identity: Buffer.from(this.name) });
    this.id = joined.state_id;
  }
  async joinExternal(info, resync) {
    const psks = chance(40) ? [{ psk_id: Buffer.from(PSKS[0]), psk_secret: pskKey(PSKS[0]) }] : [];
    tally.psks += psks.length;
    const joined = await call("ExternalJoin", { group_info: info, encrypt_handshake: !this.world.public,
      identity: Buffer.from(this.name), remove_prior: resync, psks });
    this.id = joined.state_id;
    await this.psks(this.id);
    return joined.commit;
  }
  async propose(p) {
    const more = { state_id: this.id };
    const made = p.kind === "add" ? await call("AddProposal", { ...more, key_package: p.keyPackage })
      : p.kind === "remove" ? await call("RemoveProposal", { ...more, removed_id: Buffer.from(p.name) })
      : p.kind === "update" ? await call("UpdateProposal", more)
      : p.kind === "externalPSK" ? await call("ExternalPSKProposal", { ...more, psk_id: Buffer.from(p.id) })
      : await call("ResumptionPSKProposal", { ...more, epoch_id: p.epoch });
    return made.proposal;
  }
  async hear() {} // proposals come with the commit
  commit(references, values) {
    return call("Commit", { state_id: this.id, by_reference: references, force_path: chance(50),
      by_value: values.map((p) => ({ proposal_type: Buffer.from(p.kind), key_package: p.keyPackage,
        removed_id: p.name && Buffer.from(p.name), psk_id: p.id && Buffer.from(p.id), epoch_id: p.epoch,
        extensions: p.extensions })) });
  }
  merge() { return call("HandlePendingCommit", { state_id: this.id }); }
  handle(commit, proposals) { return call("HandleCommit", { state_id: this.id, proposal: proposals, commit }); }
  async info() { return (await call("GroupInfo", { state_id: this.id })).group_info; }
  async protect(data, aad) {
    return (await call("Protect", { state_id: this.id, plaintext: data, authenticated_data: aad })).ciphertext;
  }
  async unprotect(message) { return (await call("Unprotect", { state_id: this.id, ciphertext: message })).plaintext; }
  async authenticator() { return (await call("StateAuth", { state_id: this.id })).state_auth_secret; }
  async exporter(label, context, length) {
    return (await call("Export", { state_id: this.id, label, context, key_length: length })).exported_secret;
  }
  free() { return call("Free", { state_id: this.id }).catch(() => {}); }
}

// ---- theirs -------------------------------------------------------------------------------------------------

const mlsMessage = (wireformat, field, value) =>
  Buffer.from(ts.encodeMlsMessage({ version: "mls10", wireformat, [field]: value }));
const parsed = (bytes) => {
  const found = ts.decodeMlsMessage(new Uint8Array(bytes), 0);
  assert.ok(found && found[1] === bytes.length, "the peer can't read a message of ours");
  return found[0];
};

class Theirs {
  constructor(world, name) { Object.assign(this, { world, name, ours: false, cs: world.cs }); }
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
  async info() { return mlsMessage("mls_group_info", "groupInfo", await tsGroupInfo(this.state, this.cs)); }
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
  free() {}
}

// ---- a group of both ----------------------------------------------------------------------------------------

class World {
  constructor(suite, cs, isPublic) {
    Object.assign(this, { suite, cs, public: isPublic, members: [], ghosts: [], epoch: 0, names: 0, late: [] });
  }
  member(ours = chance(50)) {
    const name = `${ours ? "ours" : "theirs"} ${this.names++}`;
    return ours ? new Ours(this, name) : new Theirs(this, name);
  }
  async found() {
    const founder = this.member();
    await founder.create(Buffer.from(`group ${seed} ${this.suite} ${this.public}`));
    founder.since = 0;
    this.members.push(founder);
    if (this.public) {
      this.follower = start(given.mls_follow);
      assert.match(await this.follower.ask(`info ${hex(await founder.info())}`), /^OK 0 /);
    }
    await this.check();
  }
  async follow(message) {
    if (!this.follower) return;
    const said = await this.follower.ask(`message ${hex(message)}`);
    assert.match(said, /^OK /, `the follower refused what members sent: ${said}`);
    this.followed = said.split(" ");
    tally.followed++;
  }
  async check() {
    tally.epochs++;
    const want = hex(await this.members[0].authenticator());
    const label = `label ${below(100)}`, context = Buffer.from("context"), length = 1 + below(200);
    const secret = hex(await this.members[0].exporter(label, context, length));
    for (const m of this.members) {
      assert.strictEqual(hex(await m.authenticator()), want, `${m.name} has another epoch_authenticator`);
      assert.strictEqual(hex(await m.exporter(label, context, length)), secret, `${m.name} exports another secret`);
    }
    const theirs = this.members.find((m) => !m.ours);
    if (!this.followed || !theirs) return;
    const context_ = theirs.state.groupContext;
    assert.deepStrictEqual(this.followed.slice(1),
      [String(context_.epoch), hex(context_.treeHash), hex(context_.confirmedTranscriptHash)], "what the follower knows");
  }
  async propose(from, p, list) {
    const message = await from.propose(p);
    await this.follow(message);
    for (const m of this.members) if (m !== from) await m.hear(message);
    list.push(message);
  }
  async something(touched, joiners) {
    const left = this.members.length - touched.size;
    switch (below(6)) {
    case 0: case 1: {
      if (this.members.length + this.ghosts.length + joiners.length >= MEMBERS_MAX || joiners.resumption) return null;
      const joiner = this.member();
      joiners.push(joiner);
      tally.adds++;
      return { kind: "add", keyPackage: await joiner.keyPackage() };
    }
    case 2: {
      if (left < 4) return null;
      const victim = pick(this.members.filter((m) => !touched.has(m)));
      touched.add(victim);
      tally.removes++;
      return { kind: "remove", name: victim.name, victim };
    }
    case 3: {
      if (left < 3) return null;
      const from = pick(this.members.filter((m) => !touched.has(m)));
      if (!from.ours) return null;
      touched.add(from);
      tally.updates++;
      return { kind: "update", from };
    }
    case 4:
      tally.psks++;
      return { kind: "externalPSK", id: pick(PSKS) };
    default: {
      const oldest = Math.max(this.epoch - 2, ...this.members.map((m) => m.since));
      if (joiners.length > 0) return null;
      joiners.resumption = true;
      tally.psks++;
      return { kind: "resumptionPSK", epoch: oldest + below(this.epoch - oldest + 1) };
    }
    }
  }
  async commit() {
    const touched = new Set(), joiners = [], references = [], values = [], removed = [];
    for (let n = below(4); n > 0; n--) {
      const p = await this.something(touched, joiners);
      if (!p) continue;
      const free = this.members.filter((m) => m !== p.victim);
      await this.propose(p.from || pick(free), p, references);
      if (p.victim) removed.push(p.victim);
    }
    const committer = pick(this.members.filter((m) => !touched.has(m)));
    touched.add(committer);
    for (let n = below(3); n > 0; n--) {
      const p = await this.something(touched, joiners);
      if (!p || p.kind === "update") { if (p) touched.delete(p.from); continue; }
      values.push(p);
      if (p.victim) removed.push(p.victim);
    }
    for (const ghost of this.ghosts.splice(0)) values.push({ kind: "remove", name: ghost.name });
    if (committer.ours && chance(10)) {
      tally.extensions++; // required_capabilities: basic credentials
      values.push({ kind: "groupContextExtensions",
        extensions: [{ extension_type: 3, extension_data: Buffer.from([0, 0, 2, 0, 1]) }] });
    }
    const made = await committer.commit(references, values);
    if (!committer.ours) tally.peerCommits++;
    await this.damage(committer, made.commit, references);
    await this.deliver(committer, made.commit, references, removed);
    for (const joiner of joiners) {
      try {
        await joiner.join(made.welcome);
        joiner.since = this.epoch;
        this.members.push(joiner);
      } catch (error) {
        if (joiner.ours || !PEER_FAULT.test(error.message)) throw error;
        tally.peerRefused++;
        this.ghosts.push(joiner);
      }
    }
  }
  // A flipped bit: members of ours and the follower's own state stay; what was sent is accepted afterwards.
  async damage(committer, commit, references) {
    const victim = this.members.find((m) => m.ours && m !== committer);
    if (!victim || !chance(30)) return;
    const wrong = Buffer.from(commit);
    wrong[below(wrong.length)] ^= 1 << below(8);
    const before = hex(await victim.authenticator());
    await assert.rejects(victim.handle(wrong, references), "a damaged commit was accepted");
    assert.strictEqual(hex(await victim.authenticator()), before);
    tally.damaged++;
  }
  async deliver(committer, commit, references, removed) {
    await this.follow(commit);
    for (const m of this.members) {
      if (m === committer || removed.includes(m)) continue;
      await m.handle(commit, references);
    }
    await committer.merge?.();
    for (const m of removed) {
      const refused = await m.handle(commit, references).then(() => null, (error) => error);
      if (m.ours || !refused)
        await assert.rejects(m.protect(Buffer.from("x"), Buffer.alloc(0)), `${m.name} was removed and can still send`);
      else
        assert.match(refused.message, REFILLED, `${m.name} was removed`);
      await m.free();
    }
    this.members = this.members.filter((m) => !removed.includes(m));
    this.epoch++;
  }
  async joinExternal() {
    const again = this.members.length > 2 && chance(40) ? pick(this.members) : null;
    if (!again && this.members.length + this.ghosts.length >= MEMBERS_MAX) return;
    const helper = pick(this.members.filter((m) => m !== again));
    const joiner = again?.ours ? new Ours(this, again.name) : again || this.member();
    const info = await helper.info();
    let commit;
    try {
      commit = await joiner.joinExternal(info, again !== null);
    } catch (error) {
      if (joiner.ours || !PEER_FAULT.test(error.message)) throw error;
      tally.peerRefused++;
      return;
    }
    const others = this.members;
    this.members = others.filter((m) => m !== again);
    await this.deliver({ merge() {} }, commit, [], []);
    if (again?.ours) await again.free();
    joiner.since = this.epoch;
    this.members.push(joiner);
    tally[again ? "resyncs" : "external"]++;
  }
  async read(m, sent) {
    assert.strictEqual(Buffer.from(await m.unprotect(sent.message)).toString(), sent.text, `${m.name} read something else`);
    tally.messages++;
  }
  // A burst: every receiver sees it in an order of its own, some of it never, some of it in a later epoch.
  async chat() {
    const from = pick(this.members), burst = [];
    for (let n = 1 + below(5); n > 0; n--) {
      const text = `message ${below(1000000)} `.repeat(1 + below(20));
      burst.push({ text, message: await from.protect(Buffer.from(text), Buffer.from(chance(50) ? "aad" : "")) });
    }
    for (const m of this.members) {
      if (m === from) continue;
      const order = [...burst];
      while (order.length > 0) {
        const [sent] = order.splice(below(order.length), 1);
        if (chance(15)) continue;
        if (chance(15)) this.late.push({ m, id: m.since, epoch: this.epoch, sent });
        else await this.read(m, sent);
      }
    }
    if (burst.length > 0 && chance(20)) {
      const m = this.members.find((o) => o.ours && o !== from);
      if (m && !this.late.some((l) => l.m === m && l.sent === burst[0]))
        await m.unprotect(burst[0].message).then(() => m.unprotect(burst[0].message)).then(
          () => assert.fail("a replay was read"), () => {});
    }
  }
  async deliverLate() {
    const now = this.late.filter((l) => l.epoch < this.epoch);
    this.late = this.late.filter((l) => l.epoch >= this.epoch);
    for (const l of now) {
      if (l.epoch < this.epoch - 2 || !this.members.includes(l.m) || l.m.since !== l.id) continue;
      await this.read(l.m, l.sent);
      tally.late++;
    }
  }
  async step() {
    tally.operations++;
    const what = below(10);
    if (what < 5) await this.commit();
    else if (what < 7) await this.joinExternal();
    else return this.chat();
    await this.check();
    await this.deliverLate();
  }
  async end() {
    for (const m of this.members) await m.free();
    this.follower?.stdin.end();
  }
}

// ---- the peer, with its known faults mended -------------------------------------------------------------------

async function loadPeer() {
  globalThis.crypto ??= require("crypto").webcrypto; // node 18
  const folder = path.join(process.env.NODE_PATH, "ts-mls", "dist", "src");
  const load = (name) => import(pathToFileURL(path.join(folder, name)).href);
  ts = await load("index.js");
  const { createGroupInfo } = await load("createCommit.js");
  const { encodeRatchetTree, ratchetTreeEncoder } = await load("ratchetTree.js");
  const { encode } = await load("codec/tlsEncoder.js");
  tsGroupInfo = async (state, cs) => {
    const pair = await cs.hpke.deriveKeyPair(state.keySchedule.externalSecret);
    const key = Buffer.from(await cs.hpke.exportPublicKey(pair.publicKey));
    const length = key.length < 64 ? [key.length] : [0x40 | key.length >> 8, key.length & 255];
    return createGroupInfo(state.groupContext, state.confirmationTag, state, [
      { extensionType: "external_pub", extensionData: new Uint8Array([...length, ...key]) },
      { extensionType: "ratchet_tree", extensionData: encodeRatchetTree ? encodeRatchetTree(state.ratchetTree)
        : encode(ratchetTreeEncoder)(state.ratchetTree) }], cs);
  };
}

async function peerSuite(id) {
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

async function main() {
  random = (seed * 2654435761 >>> 0) || 1;
  try {
    await loadPeer();
  } catch (error) {
    console.log(`SKIP ts-mls does not run on node ${process.version}: ${error.message}`);
    return 77;
  }
  const server = start(given.mls_client, "--port=0");
  const port = /^ready (\d+)$/.exec(await server.line())[1];
  const definition = loader.loadSync("mls_client/mls_client.proto", { includeDirs: [given.protos], keepCase: true,
    defaults: true });
  const types = grpc.loadPackageDefinition(definition).mls_client;
  service = new types.MLSClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const suites = (given.suites || "1,2,3,4,5,6,7").split(",").map(Number);
  const share = Number(given.seconds || 50) * 1000 / suites.length / 2;
  let skipped = 0;
  for (const suite of suites) {
    let cs;
    try {
      cs = await peerSuite(suite);
    } catch (error) {
      skipped++;
      console.log(`SKIP suite ${suite}: the peer can't: ${error.message}`);
      continue;
    }
    for (const isPublic of [true, false]) {
      const before = tally.operations, epochs = tally.epochs, until = Date.now() + share;
      const world = new World(suite, cs, isPublic);
      await world.found();
      while (Date.now() < until) await world.step();
      await world.end();
      console.log(`suite ${suite}, ${isPublic ? "public" : "private"}: ${tally.operations - before} operations, ` +
        `${tally.epochs - epochs} epochs, ${world.members.length} members at the end`);
    }
  }
  console.log(JSON.stringify(tally));
  return skipped === suites.length ? 77 : 0;
}

main().then((code) => code, (error) => { console.log(`seed ${seed}:`, error); return 1; }).then((code) => {
  for (const child of children) child.kill();
  console.log(code === 0 ? "agreed" : code === 77 ? "skipped" : "failed");
  process.exit(code);
});
