// grpc.testing.TestService on grpc-js, for our client to call.
"use strict";
const { grpc, flags, protos, credential, ZEROS, INITIAL, TRAILING } = require("./testservice.js");

const given = flags();

// Sends the headers to be echoed; returns the trailers.
function echo(call) {
  const initial = call.metadata.get(INITIAL), trailing = call.metadata.get(TRAILING);
  const headers = new grpc.Metadata(), trailers = new grpc.Metadata();
  if (initial.length) {
    headers.set(INITIAL, initial[0]);
    call.sendMetadata(headers);
  }
  if (trailing.length) trailers.set(TRAILING, trailing[0]);
  return trailers;
}

function asked(request, trailers) {
  const status = request.response_status;
  return status && status.code ? { code: status.code, details: status.message, metadata: trailers } : null;
}

const payload = (size) => ({ body: ZEROS.subarray(0, size) });

function pause(microseconds) {
  return microseconds > 0 ? new Promise((resolve) => setTimeout(resolve, microseconds / 1000)) : null;
}

async function answer(call, request) {
  for (const parameters of request.response_parameters) {
    await pause(parameters.interval_us);
    if (!call.write({ payload: payload(parameters.size) }))
      await new Promise((resolve) => call.once("drain", resolve));
    if (call.cancelled) return;
  }
}

const handlers = {
  EmptyCall(call, callback) {
    const trailers = echo(call);
    callback(null, {}, trailers);
  },
  UnaryCall(call, callback) {
    const trailers = echo(call);
    const failure = asked(call.request, trailers);
    if (failure) return callback(failure);
    const id = call.request.fill_server_id ? "js" : "";
    callback(null, { payload: payload(call.request.response_size), server_id: id }, trailers);
  },
  async StreamingOutputCall(call) {
    const trailers = echo(call);
    await answer(call, call.request);
    call.end(trailers);
  },
  StreamingInputCall(call, callback) {
    const trailers = echo(call);
    let total = 0;
    call.on("data", (request) => { total += request.payload ? request.payload.body.length : 0; });
    call.on("end", () => callback(null, { aggregated_payload_size: total }, trailers));
  },
  FullDuplexCall(call) {
    const trailers = echo(call);
    let last = Promise.resolve(), failed = false;
    call.on("data", (request) => {
      const failure = asked(request, trailers);
      if (failure && !failed) {
        failed = true;
        call.emit("error", failure);
      } else if (!failed) {
        last = last.then(() => answer(call, request));
      }
    });
    call.on("end", () => last.then(() => { if (!failed) call.end(trailers); }));
  },
  HalfDuplexCall(call) {
    const trailers = echo(call), requests = [];
    call.on("data", (request) => requests.push(request));
    call.on("end", async () => {
      for (const request of requests) await answer(call, request);
      call.end(trailers);
    });
  },
};

const server = new grpc.Server();
server.addService(protos(given.protos).TestService.service, handlers);
const credentials = given.use_tls === "true"
  ? grpc.ServerCredentials.createSsl(null,
    [{ private_key: credential("server1.key"), cert_chain: credential("server1.pem") }])
  : grpc.ServerCredentials.createInsecure();
server.bindAsync(`0.0.0.0:${given.port}`, credentials, (error) => {
  if (error) {
    console.error(error);
    process.exit(1);
  }
});
process.on("SIGTERM", () => { server.forceShutdown(); process.exit(0); });
