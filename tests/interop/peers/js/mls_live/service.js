// Members of any stack that serves the working group's mls_client, at an address: mlspp's, mls-rs's.
"use strict";
const { Served, connect } = require("./ours.js");

let call, name, suites;

async function load({ protos, at }) {
  const service = connect(protos, at);
  let before = Promise.resolve(); // one at a time: not all of them are safe from their own threads
  call = (method, request) => {
    const answer = before.then(() => service(method, request));
    before = answer.catch(() => {});
    return answer;
  };
  name = (await call("Name", {})).name;
  suites = (await call("SupportedCiphersuites", {})).ciphersuites.filter((id) => id >= 1 && id <= 7).sort();
}

class Member extends Served {
  constructor(world, name_) { super(world, name_, call, false); }
}

module.exports = { load, get name() { return name; }, get suites() { return suites; }, suite: async () => null, Member,
  late: false, // messages of past epochs: these services keep no keys for them
  // mlspp's joiner, while it is unmerged below a parent that is not blank, takes the parent's ciphertext, for which it
  // has no key, and not its own, whoever added it and commits (TreeKEMPublicKey::decap_coords): taken out
  faultAtCommit: (error) => /bad_optional_access/.test(error.message),
  faultWhenRemoved: () => true }; // RFC 9420 does not say what a member does with the commit that removes it
