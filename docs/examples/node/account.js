// A client of a Hearth homeserver in Node, on grpc-js and our .proto: registers a user with an invitation, lists its clients, makes
// a queue and reads it.
//
// usage: account.js TARGET CA_FILE INVITATION         (@grpc/grpc-js and @grpc/proto-loader, found by NODE_PATH)
"use strict";
const assert = require("assert");
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const auth = require("./hearth_auth.js");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [target, caFile, invited] = process.argv.slice(2);
const { domain, code, pin } = auth.invitation(invited);
const services = grpc.loadPackageDefinition(loader.loadSync(
  ["info", "auth", "queue"].map((name) => `hearth/v1/${name}.proto`),
  { keepCase: true, longs: Number, enums: String, defaults: true, includeDirs: [path.join(__dirname, "../../../proto")] })).hearth.v1;
const channels = {};

// signer: { pair, kind, id }
function call(service, rpc, request, signer) {
  channels[service] ??= new services[service](target, grpc.credentials.createSsl(fs.readFileSync(caFile)),
    { "grpc.ssl_target_name_override": domain });
  const { path: name, requestSerialize, responseDeserialize } = services[service].service[rpc];
  const body = requestSerialize(request), metadata = new grpc.Metadata();
  if (signer) metadata.set("hearth-auth-bin", auth.requestAuth(signer.pair, signer.kind, signer.id, domain, name, body));
  return new Promise((resolve, reject) => channels[service].makeUnaryRequest(name, (data) => data, responseDeserialize, body,
    metadata, { deadline: Date.now() + 20000 }, (error, answer) => error ? reject(error) : resolve(answer)));
}

const fresh = () => ({ id: crypto.randomBytes(16) });

async function main() {
  const facts = await call("Info", "GetServerInfo", {});
  assert.strictEqual(facts.domain, domain);
  const { keys } = await call("Info", "GetKeys", {});
  const root = keys.find((one) => one.use === "KEY_USE_AS_ROOT").key;
  assert.deepStrictEqual(auth.sha256(Buffer.from("Hearth 1 Credential"), root).subarray(0, 16), pin);
  console.log(`server    ${domain}, ${keys.length} keys, its root is the one of the invitation`);

  const pair = auth.generate(), client = crypto.randomBytes(16);
  const userId = Buffer.concat([crypto.randomBytes(16), auth.vector(Buffer.from(domain))]);
  const id = Buffer.concat([userId, client]);
  const account = await call("Auth", "RegisterUser", { idempotency: fresh(), permit: { invitation: code },
    credential_request: auth.credentialRequest(pair, id), key_set: auth.firstKeySet(pair, userId, client) });
  console.log(`account   credential of ${account.credential.length} bytes`);

  const { clients } = await call("Auth", "ListClients", {}, { pair, kind: auth.CLIENT, id });
  assert.strictEqual(clients.length, 1);
  assert.ok(clients[0].client_id.equals(client) && clients[0].credential.equals(account.credential));
  console.log("clients   1, this one");

  await assert.rejects(call("Auth", "ListClients", {}, { pair: auth.generate(), kind: auth.CLIENT, id }),
    { code: grpc.status.UNAUTHENTICATED });
  console.log("refused   the same request under another key");

  const user = auth.generate(), queueClient = auth.generate();
  const queue = await call("Queue", "CreateQueueUser", { idempotency: fresh(), auth_key: auth.publicBytes(user),
    contact_key: crypto.randomBytes(32), client: { auth_key: auth.publicBytes(queueClient), queue_key: crypto.randomBytes(32),
      notification_policy: "NOTIFICATION_POLICY_NONE" } });
  const { items } = await call("Queue", "Dequeue", {}, { pair: queueClient, kind: auth.QUEUE_CLIENT,
    id: queue.queue_client_id });
  assert.ok(items.length === 1 && items[0].sequence === 0);
  console.log(`queue     1 item, the first ratchet key (sequence 0)`);
  for (const channel of Object.values(channels)) channel.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
