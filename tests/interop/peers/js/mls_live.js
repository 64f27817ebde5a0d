// Live groups of our MLS members (mls_client, by gRPC) and members of another stack, in this process: random histories
// in which all must agree on every epoch, with a server's view (mls_follow) that follows the public ones.
//
// --peer=ts-mls|core-crypto|HOST:PORT (of an mls_client service) --mls_client=PROGRAM --mls_follow=PROGRAM --protos=FOLDER
// [--members=20] [--suites=1,2] [--framings=public,private] [--seed=N] [--ops=N] [--seconds=N]
//
// With --ops alone each group lives for N operations; with --seconds alone all share that time; with both the first
// group lives for N operations, and the others share the time that this leaves (at least a second and five operations each).
// Exit code: 0, 1 when something went wrong, 77 when the peer does not run here.
"use strict";
const { flags } = require("./testservice.js");
const { tally, children, seed, start } = require("./mls_live/common.js");
const { connect } = require("./mls_live/ours.js");
const { World } = require("./mls_live/world.js");

const AT_LEAST = 5; // operations of a group
const given = flags();
const number = Number(given.seed || Date.now() % 1000000);
const ops = Number(given.ops || 0), seconds = Number(given.seconds || (ops ? 0 : 50));
const peer = require(given.peer === "core-crypto" ? "./mls_live/core_crypto.js"
  : given.peer?.includes(":") ? "./mls_live/service.js" : "./mls_live/ts_mls.js");

async function live(world, until) {
  const before = { ...tally }, begin = Date.now();
  await world.found();
  while (!until(tally.operations - before.operations)) await world.step();
  await world.end();
  const took = (Date.now() - begin) / 1000;
  console.log(`${peer.name}, suite ${world.suite}, ${world.public ? "public" : "private"}: ` +
    `${tally.operations - before.operations} operations, ${tally.epochs - before.epochs} epochs, ${took.toFixed(1)} s`);
}

async function main() {
  try {
    await peer.load({ protos: given.protos, at: given.peer });
  } catch (error) {
    console.log(`SKIP ${given.peer ?? "ts-mls"} does not run on node ${process.version}: ${error.message}`);
    return 77;
  }
  const server = start(given.mls_client, "--port=0");
  const ours = connect(given.protos, "127.0.0.1:" + /^ready (\d+)$/.exec(await server.line())[1]);
  const suites = given.suites ? given.suites.split(",").map(Number) : peer.suites;
  const framings = (given.framings || "public,private").split(",");
  const end = Date.now() + seconds * 1000;
  let left = suites.length * framings.length;
  for (const suite of suites) {
    const cs = await peer.suite(suite);
    for (const framing of framings) {
      seed(number * 16 + suite * 2 + (framing === "public" ? 1 : 0)); // a group's history is its own
      const world = new World(peer, suite, cs, framing === "public", { most: Number(given.members || 20),
        follow: given.mls_follow, ours, founder: `group ${number} ${suite} ${framing}` });
      const share = Date.now() + Math.max(1000, (end - Date.now()) / left--);
      const enough = seconds && tally.operations > 0 ? 0 : ops;
      await live(world, (done) => enough ? done >= enough : done >= AT_LEAST && Date.now() >= share);
    }
  }
  console.log(JSON.stringify(tally));
  return 0;
}

main().then((code) => code, (error) => { console.log(`seed ${number}:`, error); return 1; }).then((code) => {
  for (const child of children) child.kill();
  console.log(code === 0 ? "agreed" : code === 77 ? "skipped" : "failed");
  process.exit(code);
});
