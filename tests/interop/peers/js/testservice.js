// What both ends on grpc-js share: flags, the service, credentials. NODE_PATH says where the packages are.
"use strict";
const fs = require("fs");
const path = require("path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const ZEROS = Buffer.alloc(1 << 20);

function flags() {
  const values = {};
  for (const text of process.argv.slice(2)) {
    const found = /^--([^=]+)=(.*)$/.exec(text);
    if (found) values[found[1]] = found[2];
  }
  return values;
}

function protos(folder) {
  const definition = loader.loadSync("grpc/testing/test.proto",
    { includeDirs: [folder], keepCase: true, defaults: true, enums: Number });
  return grpc.loadPackageDefinition(definition).grpc.testing;
}

function credential(name) {
  return fs.readFileSync(path.join(process.env.HEARTH_TEST_CREDS, name));
}

const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";

module.exports = { grpc, flags, protos, credential, ZEROS, INITIAL, TRAILING };
