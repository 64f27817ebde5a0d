// The interoperability client on grpc-js, to call our server.
"use strict";
const assert = require("assert");
const { grpc, flags, protos, credential, ZEROS, INITIAL, TRAILING } = require("./testservice.js");

const given = flags();
const types = protos(given.protos);
const REQUESTS = [27182, 8, 1828, 45904], RESPONSES = [31415, 9, 2653, 58979];
const INITIAL_VALUE = "test_initial_metadata_value", TRAILING_VALUE = Buffer.from([0xab, 0xab, 0xab]);
const TEXT = "test status message";

function open(Service = types.TestService, more = {}) {
  const options = { "grpc.use_local_subchannel_pool": 1, ...more };
  let credentials = grpc.credentials.createInsecure();
  if (given.use_tls === "true") {
    credentials = grpc.credentials.createSsl(given.use_test_ca === "true" ? credential("ca.pem") : null);
    if (given.server_host_override) {
      options["grpc.ssl_target_name_override"] = given.server_host_override;
      options["grpc.default_authority"] = given.server_host_override;
    }
  }
  return new Service(`${given.server_host}:${given.server_port}`, credentials, options);
}

// One unary call: { error, response, headers, trailers }.
function unary(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve) => {
    const seen = {};
    const call = client[method](request, metadata, (error, response) => {
      Object.assign(seen, { error, response });
      if (seen.status) resolve(seen);
    });
    call.on("metadata", (headers) => { seen.headers = headers; });
    call.on("status", (status) => {
      Object.assign(seen, { status, trailers: status.metadata });
      if ("error" in seen) resolve(seen);
    });
  });
}

// Collects a stream: { items, status, headers }; onItem may go on writing.
function collect(call, onItem = () => {}) {
  return new Promise((resolve) => {
    const seen = { items: [] };
    call.on("metadata", (headers) => { seen.headers = headers; });
    call.on("data", (item) => { seen.items.push(item); onItem(item, seen.items.length); });
    call.on("error", () => {});
    call.on("status", (status) => { seen.status = status; resolve(seen); });
  });
}

const payload = (size) => ({ body: ZEROS.subarray(0, size) });
const large = () => ({ response_size: 314159, payload: payload(271828) });
const output = (bytes, ...sizes) => ({ payload: payload(bytes), response_parameters: sizes.map((size) => ({ size })) });
const sizesOf = (items) => items.map((item) => item.payload.body.length);

function isLarge(seen) {
  assert.ifError(seen.error);
  assert.ok(seen.response.payload.body.equals(ZEROS.subarray(0, 314159)));
}

function metadata() {
  const m = new grpc.Metadata();
  m.set(INITIAL, INITIAL_VALUE);
  m.set(TRAILING, TRAILING_VALUE);
  return m;
}

function isEchoed(headers, trailers) {
  assert.deepStrictEqual(headers.get(INITIAL), [INITIAL_VALUE]);
  assert.deepStrictEqual(trailers.get(TRAILING), [TRAILING_VALUE]);
}

async function statusOf(client, text) {
  const { error } = await unary(client, "UnaryCall", { response_status: { code: 2, message: text } });
  assert.strictEqual(error.code, 2);
  assert.strictEqual(error.details, text);
}

const cases = {
  async empty_unary(client) {
    const { error, response } = await unary(client, "EmptyCall", {});
    assert.ifError(error);
    assert.ok(response);
  },
  async large_unary(client) {
    isLarge(await unary(client, "UnaryCall", large()));
  },
  async client_streaming(client) {
    await new Promise((resolve, reject) => {
      const call = client.StreamingInputCall((error, response) => {
        if (error) return reject(error);
        assert.strictEqual(response.aggregated_payload_size, 74922);
        resolve();
      });
      for (const size of REQUESTS) call.write({ payload: payload(size) });
      call.end();
    });
  },
  async server_streaming(client) {
    const seen = await collect(client.StreamingOutputCall(output(0, ...RESPONSES)));
    assert.strictEqual(seen.status.code, 0);
    assert.deepStrictEqual(sizesOf(seen.items), RESPONSES);
  },
  async ping_pong(client) {
    const call = client.FullDuplexCall();
    const done = collect(call, (_, count) => {
      if (count < 4) call.write(output(REQUESTS[count], RESPONSES[count]));
      else call.end();
    });
    call.write(output(REQUESTS[0], RESPONSES[0]));
    const seen = await done;
    assert.strictEqual(seen.status.code, 0);
    assert.deepStrictEqual(sizesOf(seen.items), RESPONSES);
  },
  async half_duplex(client) {
    const call = client.HalfDuplexCall();
    const done = collect(call);
    REQUESTS.forEach((size, i) => call.write(output(size, RESPONSES[i])));
    call.end();
    const seen = await done;
    assert.strictEqual(seen.status.code, 0);
    assert.deepStrictEqual(sizesOf(seen.items), RESPONSES);
  },
  async empty_stream(client) {
    const call = client.FullDuplexCall();
    const done = collect(call);
    call.end();
    const seen = await done;
    assert.strictEqual(seen.status.code, 0);
    assert.strictEqual(seen.items.length, 0);
  },
  async custom_metadata(client) {
    const seen = await unary(client, "UnaryCall", large(), metadata());
    isLarge(seen);
    isEchoed(seen.headers, seen.trailers);
    const call = client.FullDuplexCall(metadata());
    const done = collect(call);
    call.write(output(271828, 314159));
    call.end();
    const streamed = await done;
    assert.strictEqual(streamed.status.code, 0);
    assert.deepStrictEqual(sizesOf(streamed.items), [314159]);
    isEchoed(streamed.headers, streamed.status.metadata);
  },
  async status_code_and_message(client) {
    await statusOf(client, TEXT);
    const call = client.FullDuplexCall();
    const done = collect(call);
    call.write({ response_status: { code: 2, message: TEXT } });
    call.end();
    const { status } = await done;
    assert.strictEqual(status.code, 2);
    assert.strictEqual(status.details, TEXT);
  },
  async special_status_message(client) {
    await statusOf(client, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n");
  },
  async unimplemented_method(client) {
    assert.strictEqual((await unary(client, "UnimplementedCall", {})).error.code, grpc.status.UNIMPLEMENTED);
  },
  async unimplemented_service() {
    const client = open(types.UnimplementedService);
    assert.strictEqual((await unary(client, "UnimplementedCall", {})).error.code, grpc.status.UNIMPLEMENTED);
    client.close();
  },
  async cancel_after_begin(client) {
    const error = await new Promise((resolve) => {
      client.StreamingInputCall(resolve).cancel();
    });
    assert.strictEqual(error.code, grpc.status.CANCELLED);
  },
  async cancel_after_first_response(client) {
    const call = client.FullDuplexCall();
    const done = collect(call, () => call.cancel());
    call.write(output(27182, 31415));
    const seen = await done;
    assert.deepStrictEqual(sizesOf(seen.items), [31415]);
    assert.strictEqual(seen.status.code, grpc.status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    const call = client.FullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 });
    const done = collect(call);
    call.write(output(27182));
    assert.strictEqual((await done).status.code, grpc.status.DEADLINE_EXCEEDED);
  },
  async client_compressed_unary(client) {
    const request = { ...large(), expect_compressed: { value: true } };
    assert.strictEqual((await unary(client, "UnaryCall", request)).error.code, grpc.status.INVALID_ARGUMENT);
    const compressing = open(types.TestService, { "grpc.default_compression_algorithm": 2 });
    isLarge(await unary(compressing, "UnaryCall", request));
    compressing.close();
    isLarge(await unary(client, "UnaryCall", { ...large(), expect_compressed: { value: false } }));
  },
  async server_compressed_unary(client) {
    // grpc-js reads both, but can't tell which it was
    for (const value of [true, false])
      isLarge(await unary(client, "UnaryCall", { ...large(), response_compressed: { value } }));
  },
  async server_compressed_streaming(client) {
    const request = output(0, 31415, 92653);
    request.response_parameters[0].compressed = { value: true };
    request.response_parameters[1].compressed = { value: false };
    const seen = await collect(client.StreamingOutputCall(request));
    assert.strictEqual(seen.status.code, 0);
    assert.deepStrictEqual(sizesOf(seen.items), [31415, 92653]);
  },
  async rpc_soak(client) {
    for (let i = 0; i < 10; i++) await cases.large_unary(client);
  },
  async channel_soak() {
    for (let i = 0; i < 10; i++) {
      const client = open();
      await cases.large_unary(client);
      client.close();
    }
  },
};

async function main() {
  const run = cases[given.test_case];
  if (!run) throw new Error(`no test case ${given.test_case}`);
  const client = open();
  await run(client);
  client.close();
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
