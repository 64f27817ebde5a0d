// Members behind the working group's service: ours (mls_client), or those of any other stack that has one.
"use strict";
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { PSKS, pskKey } = require("./common.js");

const WAIT_MS = 60000;

// A function that calls one method of the service at this address.
function connect(protos, address) {
  const definition = loader.loadSync("mls_client/mls_client.proto", { includeDirs: [protos], keepCase: true,
    defaults: true });
  const types = grpc.loadPackageDefinition(definition).mls_client;
  const service = new types.MLSClient(address, grpc.credentials.createInsecure());
  return (method, request) => new Promise((resolve, reject) => {
    service[method](request, { deadline: Date.now() + WAIT_MS },
      (error, response) => error ? reject(new Error(`${method}: ${error.details}`)) : resolve(response));
  });
}

class Served {
  constructor(world, name, call, ours) { Object.assign(this, { world, name, call, ours }); }
  can() { return true; }
  async psks(id) {
    await Promise.all(PSKS.map((psk) =>
      this.call("StorePSK", { state_or_transaction_id: id, psk_id: Buffer.from(psk), psk_secret: pskKey(psk) })));
  }
  async create(groupId) {
    const made = await this.call("CreateGroup", { group_id: groupId, cipher_suite: this.world.suite,
      encrypt_handshake: !this.world.public, identity: Buffer.from(this.name) });
    this.id = made.state_id;
    await this.psks(this.id);
  }
  async keyPackage() {
    const made = await this.call("CreateKeyPackage", { cipher_suite: this.world.suite, identity: Buffer.from(this.name) });
    this.id = made.transaction_id;
    await this.psks(this.id);
    return made.key_package;
  }
  async join(welcome) {
    const joined = await this.call("JoinGroup", { transaction_id: this.id, welcome, encrypt_handshake: !this.world.public,
      identity: Buffer.from(this.name) });
    this.id = joined.state_id;
  }
  async joinExternal(info, resync, psk) {
    const psks = psk ? [{ psk_id: Buffer.from(psk), psk_secret: pskKey(psk) }] : [];
    const joined = await this.call("ExternalJoin", { group_info: info, encrypt_handshake: !this.world.public,
      identity: Buffer.from(this.name), remove_prior: resync, psks });
    this.id = joined.state_id;
    await this.psks(this.id);
    return joined.commit;
  }
  async propose(p) {
    const more = { state_id: this.id };
    const made = p.kind === "add" ? await this.call("AddProposal", { ...more, key_package: p.keyPackage })
      : p.kind === "remove" ? await this.call("RemoveProposal", { ...more, removed_id: Buffer.from(p.name) })
      : p.kind === "update" ? await this.call("UpdateProposal", more)
      : p.kind === "externalPSK" ? await this.call("ExternalPSKProposal", { ...more, psk_id: Buffer.from(p.id) })
      : await this.call("ResumptionPSKProposal", { ...more, epoch_id: p.epoch });
    return made.proposal;
  }
  async hear() {} // proposals come with the commit
  commit(references, values, forcePath) {
    return this.call("Commit", { state_id: this.id, by_reference: references, force_path: forcePath,
      by_value: values.map((p) => ({ proposal_type: Buffer.from(p.kind), key_package: p.keyPackage,
        removed_id: p.name && Buffer.from(p.name), psk_id: p.id && Buffer.from(p.id), epoch_id: p.epoch,
        extensions: p.extensions })) });
  }
  async merge() { this.id = (await this.call("HandlePendingCommit", { state_id: this.id })).state_id; }
  async handle(commit, proposals) {
    this.id = (await this.call("HandleCommit", { state_id: this.id, proposal: proposals, commit })).state_id || this.id;
  }
  async info() { return (await this.call("GroupInfo", { state_id: this.id })).group_info; }
  async protect(data, aad) {
    return (await this.call("Protect", { state_id: this.id, plaintext: data, authenticated_data: aad })).ciphertext;
  }
  async unprotect(message) { return (await this.call("Unprotect", { state_id: this.id, ciphertext: message })).plaintext; }
  async authenticator() { return (await this.call("StateAuth", { state_id: this.id })).state_auth_secret; }
  async exporter(label, context, length) {
    return (await this.call("Export", { state_id: this.id, label, context, key_length: length })).exported_secret;
  }
  free() { return this.call("Free", { state_id: this.id }).catch(() => {}); }
}

module.exports = { Served, connect };
