// A group of members of ours and of one other stack, its history, and what must hold after each step of it.
"use strict";
const assert = require("assert");
const { PSKS, tally, below, chance, pick, hex, start } = require("./common.js");
const { Served } = require("./ours.js");

const SEASON = 20; // operations between changes of mind about the size
const LATE_EPOCHS = 2;
const TAGS_BYTES = 2 * 66; // at most: confirmation and membership tag, for which a follower has no key

// epoch, tree_hash and confirmed_transcript_hash of a GroupInfo (MLSMessage)
function contextOf(info) {
  let at = 8;
  const vector = () => {
    const size = info[at] < 0x40 ? info[at] : (info[at] & 0x3f) << 8 | info[at + 1];
    at += info[at] < 0x40 ? 1 : 2;
    return info.subarray(at, at += size);
  };
  vector(); // group_id
  const epoch = info.readBigUInt64BE(at);
  at += 8;
  return { epoch, treeHash: vector(), confirmedTranscriptHash: vector() };
}

class World {
  constructor(peer, suite, cs, isPublic, { founder, follow, most, ours }) {
    Object.assign(this, { peer, suite, cs, public: isPublic, most, target: most, followProgram: follow, ours,
      id: Buffer.from(founder), members: [], ghosts: [], epoch: 0, names: 0, late: [], steps: 0 });
  }
  member(ours = chance(50)) {
    const name = `${ours ? "ours" : "theirs"} ${this.names++}`;
    return ours ? new Served(this, name, this.ours, true) : new this.peer.Member(this, name);
  }
  all(work) { return Promise.all(this.members.map(work)); }
  async found() {
    const founder = this.member();
    await founder.create(this.id);
    if (!founder.ours) this.epoch = this.peer.firstEpoch ?? 0;
    founder.since = this.epoch;
    this.members.push(founder);
    if (this.public) {
      this.follower = start(this.followProgram);
      assert.match(await this.follower.ask(`info ${hex(await founder.info())}`), /^OK [01] /);
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
    tally.smallest = Math.min(tally.smallest, this.members.length);
    tally.largest = Math.max(tally.largest, this.members.length);
    const [label, context, length] = this.peer.exporter ??
      [`label ${below(100)}`, Buffer.from("context"), 1 + below(200)];
    const said = await this.all(async (m) => ({ name: m.name, authenticator: await m.authenticator(),
      secret: hex(await m.exporter(label, context, length)) }));
    const want = said.find((s) => s.authenticator);
    for (const s of said) {
      if (s.authenticator)
        assert.strictEqual(hex(s.authenticator), hex(want.authenticator), `${s.name} has another epoch_authenticator`);
      assert.strictEqual(s.secret, said[0].secret, `${s.name} exports another secret`);
    }
    if (!this.followed) return;
    const teller = this.members.find((m) => m.context?.()) ?? this.members.find((m) => m.can("info"));
    if (!teller) return;
    const known = teller.context?.() ?? contextOf(await teller.info());
    assert.deepStrictEqual(this.followed.slice(1),
      [String(known.epoch), hex(known.treeHash), hex(known.confirmedTranscriptHash)], "what the follower knows");
  }
  async propose(from, p, list) {
    const message = await from.propose(p);
    await this.follow(message);
    await this.all((m) => m === from ? null : m.hear(message));
    list.push(message);
  }
  size(touched, joiners) {
    return this.members.length + this.ghosts.length + joiners.length - [...touched].filter((m) => m.leaving).length;
  }
  last(member, touched) { // of its kind
    return !this.members.some((m) => m !== member && m.ours === member.ours && !touched.has(m));
  }
  halfEmpty(gone) {
    const names = [...gone, ...this.ghosts].map((m) => m.name);
    return this.members.find((m) => m.halfEmpty)?.halfEmpty(names) ?? false;
  }
  async add(joiners) {
    const joiner = this.member();
    joiners.push(joiner);
    tally.adds++;
    return { kind: "add", keyPackage: await joiner.keyPackage() };
  }
  remove(touched) {
    const victims = this.members.filter((m) => !touched.has(m) && !this.last(m, touched));
    if (victims.length < 2) return null;
    const victim = pick(victims);
    if (this.halfEmpty([...touched, victim].filter((m) => m.leaving || m === victim))) return null;
    touched.add(victim);
    victim.leaving = true;
    tally.removes++;
    return { kind: "remove", name: victim.name, victim };
  }
  async something(touched, joiners) {
    const kind = below(7), size = this.size(touched, joiners);
    if (kind < 4) {
      const grow = kind === 3 ? size >= this.target : size < this.target; // mostly towards the target
      if (!grow) return size > 2 ? this.remove(touched) : null;
      return size < this.most && !joiners.resumption ? this.add(joiners) : null;
    }
    if (kind === 4) {
      const from = pick(this.members.filter((m) => !touched.has(m)));
      if (this.members.length - touched.size < 3 || !from.can("update")) return null;
      touched.add(from);
      tally.updates++;
      return { kind: "update", from };
    }
    if (this.peer.psks === false) return null;
    if (kind === 5) {
      tally.psks++;
      return { kind: "externalPSK", id: pick(PSKS) };
    }
    if (joiners.length > 0) return null;
    joiners.resumption = true;
    tally.psks++;
    const oldest = Math.max(this.epoch - LATE_EPOCHS, ...this.members.map((m) => m.since));
    return { kind: "resumptionPSK", epoch: oldest + below(this.epoch - oldest + 1) };
  }
  async referenced(touched, joiners, references) {
    const p = await this.something(touched, joiners);
    if (!p) return;
    const free = this.members.filter((m) => m !== p.victim && m.can("propose"));
    if (free.length > 0) await this.propose(p.from || pick(free), p, references);
    else this.takeBack(p, touched, joiners);
  }
  takeBack(p, touched, joiners) {
    if (p.kind === "add") joiners.pop();
    if (p.kind === "resumptionPSK") joiners.resumption = false;
    if (p.victim) p.victim.leaving = false;
    touched.delete(p.victim ?? p.from);
  }
  async commit() {
    const touched = new Set(), joiners = [], references = [], values = [];
    for (let n = below(4); n > 0; n--) await this.referenced(touched, joiners, references);
    const free = this.members.filter((m) => !touched.has(m));
    const stuck = this.halfEmpty(this.members.filter((m) => m.leaving)); // ghosts must stay then
    const sweepers = this.ghosts.length > 0 && this.peer.oneKind ? free.filter((m) => m.ours) : free;
    const committer = pick(sweepers.length > 0 ? sweepers : free);
    touched.add(committer);
    for (let n = below(3); n > 0; n--) {
      const p = await this.something(touched, joiners);
      if (!p) continue;
      if (p.kind !== "update" && committer.can(p.kind) &&
          (committer.ours || !this.peer.oneKind || values.every((v) => v.kind === p.kind))) values.push(p);
      else this.takeBack(p, touched, joiners);
    }
    if (sweepers.includes(committer) && !stuck)
      for (const ghost of this.ghosts.splice(0)) values.push({ kind: "remove", name: ghost.name });
    if (committer.ours && chance(10)) {
      tally.extensions++; // required_capabilities: basic credentials
      values.push({ kind: "groupContextExtensions",
        extensions: [{ extension_type: 3, extension_data: Buffer.from([0, 0, 2, 0, 1]) }] });
    }
    const made = await committer.commit(references, values, chance(50));
    if (!committer.ours) tally.peerCommits++;
    await this.damage(committer, made.commit, references);
    await this.deliver(committer, made.commit, references, this.members.filter((m) => m.leaving));
    for (const joiner of joiners) await this.welcome(joiner, made.welcome);
  }
  async welcome(joiner, welcome) {
    try {
      await joiner.join(welcome);
      joiner.since = this.epoch;
      this.members.push(joiner);
    } catch (error) {
      if (joiner.ours || !this.peer.faultAtJoin?.(error)) throw error;
      tally.peerRefused++;
      this.ghosts.push(joiner);
    }
  }
  // A flipped bit: members of ours keep their state, and accept afterwards what was sent.
  async damage(committer, commit, references) {
    const victim = this.members.find((m) => m.ours && m !== committer);
    if (!victim || !chance(30)) return;
    const wrong = Buffer.from(commit);
    const at = below(wrong.length);
    wrong[at] ^= 1 << below(8);
    const before = hex(await victim.authenticator());
    await assert.rejects(victim.handle(wrong, references), "a damaged commit was accepted");
    assert.strictEqual(hex(await victim.authenticator()), before);
    if (this.follower && at < wrong.length - TAGS_BYTES)
      assert.match(await this.follower.ask(`message ${hex(wrong)}`), /^ERR /, "the follower accepted a damaged commit");
    tally.damaged++;
  }
  async deliver(committer, commit, references, removed, resync = false) {
    await this.follow(commit);
    const lost = [];
    await this.all((m) => m === committer || removed.includes(m) ? null : m.handle(commit, references).catch((error) => {
      if (m.ours || !this.peer.faultAtCommit?.(error, resync)) throw error;
      lost.push(m);
    }));
    await committer.merge?.();
    for (const m of lost) await m.free();
    tally.peerRefused += lost.length;
    this.ghosts.push(...lost);
    this.members = this.members.filter((m) => !lost.includes(m));
    for (const m of removed) {
      const refused = await m.handle(commit, references).then(() => null, (error) => error);
      if (m.ours || !refused)
        await assert.rejects(m.protect(Buffer.from("x"), Buffer.alloc(0)), `${m.name} was removed and can still send`);
      else
        assert.ok(this.peer.faultWhenRemoved?.(refused), `${m.name} was removed: ${refused.message}`);
      await m.free();
    }
    this.members = this.members.filter((m) => !removed.includes(m));
    this.epoch++;
  }
  async joinExternal() {
    const again = this.members.length > 2 && chance(40) ? pick(this.members) : null;
    if (!again && this.members.length + this.ghosts.length >= this.target) return;
    const helpers = this.members.filter((m) => m !== again && m.can("info"));
    if (helpers.length === 0 || again && !helpers.some((m) => m.ours)) return;
    const helper = pick(helpers);
    const joiner = again?.ours ? new Served(this, again.name, this.ours, true) : again || this.member();
    const psk = this.peer.psks !== false && joiner.ours && chance(40) ? PSKS[0] : null;
    if (psk) tally.psks++;
    const info = await helper.info();
    let commit;
    try {
      commit = await joiner.joinExternal(info, again !== null, psk);
    } catch (error) {
      if (joiner.ours || !this.peer.faultAtJoin?.(error)) throw error;
      tally.peerRefused++;
      return;
    }
    this.members = this.members.filter((m) => m !== again);
    await this.deliver({}, commit, [], [], again !== null);
    if (again?.ours) await again.free();
    joiner.since = this.epoch;
    this.members.push(joiner);
    tally[again ? "resyncs" : "external"]++;
  }
  // Some stacks keep few keys for messages that come after later ones of the same sender.
  tooOld(m, sent) {
    if (m.window === undefined) return false;
    const key = `${sent.from.name} ${sent.epoch}`;
    m.heads ??= new Map();
    const head = m.heads.get(key) ?? -1;
    m.heads.set(key, Math.max(head, sent.generation));
    return head - sent.generation > m.window;
  }
  async read(m, sent) {
    if (this.tooOld(m, sent)) return;
    assert.strictEqual(Buffer.from(await m.unprotect(sent.message)).toString(), sent.text, `${m.name} read something else`);
    tally.messages++;
  }
  async send(from) {
    const text = `message ${below(1000000)} `.repeat(1 + below(20));
    if (from.sentIn !== this.epoch) Object.assign(from, { sentIn: this.epoch, sent: 0 });
    const message = await from.protect(Buffer.from(text), Buffer.from(chance(50) ? "aad" : ""));
    return { from, text, message, epoch: this.epoch, generation: from.sent++ };
  }
  // A burst: every receiver sees it in an order of its own, some of it never, some of it in a later epoch.
  async chat() {
    const from = pick(this.members), burst = [];
    for (let n = 1 + below(5); n > 0; n--) burst.push(await this.send(from));
    const plans = this.members.filter((m) => m !== from).map((m) => {
      const order = [...burst], now = [];
      while (order.length > 0) {
        const [sent] = order.splice(below(order.length), 1);
        if (chance(15)) continue;
        if (chance(15) && (m.ours || this.peer.late !== false)) this.late.push({ m, id: m.since, sent });
        else now.push(sent);
      }
      return { m, now };
    });
    await Promise.all(plans.map(async ({ m, now }) => { for (const sent of now) await this.read(m, sent); }));
    if (chance(20)) await this.replay(from, burst[0]);
  }
  async replay(from, sent) {
    const m = this.members.find((o) => o.ours && o !== from);
    if (m && !this.late.some((l) => l.m === m && l.sent === sent))
      await m.unprotect(sent.message).then(() => m.unprotect(sent.message)).then(
        () => assert.fail("a replay was read"), () => {});
  }
  async deliverLate() {
    const now = this.late.filter((l) => l.sent.epoch < this.epoch);
    this.late = this.late.filter((l) => l.sent.epoch >= this.epoch);
    for (const l of now) {
      if (l.sent.epoch < this.epoch - LATE_EPOCHS || !this.members.includes(l.m) || l.m.since !== l.id) continue;
      try {
        await this.read(l.m, l.sent);
        tally.late++;
      } catch (error) {
        const left = !this.members.includes(l.sent.from) || l.sent.from.since > l.sent.epoch;
        if (l.m.ours || !left || !this.peer.faultOfLeavers?.(error)) throw error;
        tally.peerRefused++;
      }
    }
  }
  async step() {
    tally.operations++;
    this.full ||= this.members.length >= this.most; // once as large as may be, then of any size
    if (++this.steps % SEASON === 0 && this.full) this.target = 2 + below(this.most - 1);
    const what = below(10);
    if (what < 5) await this.commit();
    else if (what < 7) await this.joinExternal();
    else return this.chat();
    await this.check();
    await this.deliverLate();
  }
  async end() {
    await this.all((m) => m.free());
    this.follower?.stdin.end();
  }
}

module.exports = { World };
