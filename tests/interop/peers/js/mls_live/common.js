// What the live groups share: the random choices, what is counted, children, and bytes.
"use strict";
const { spawn } = require("child_process");

const PSKS = ["psk 0", "psk 1", "psk 2"];
const tally = { operations: 0, epochs: 0, messages: 0, late: 0, adds: 0, removes: 0, updates: 0, external: 0, resyncs: 0,
  psks: 0, extensions: 0, damaged: 0, followed: 0, peerCommits: 0, peerRefused: 0, smallest: Infinity, largest: 0 };
const children = [];
let random = 1;

function seed(number) {
  random = (number * 2654435761 >>> 0) || 1;
}

function below(n) { // xorshift; histories repeat but for keys, so nothing that runs beside others may draw from it
  random ^= random << 13; random ^= random >>> 17; random ^= random << 5; random >>>= 0;
  return random % n;
}

// A program that answers each line with one.
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

module.exports = { PSKS, tally, children, seed, below, start,
  chance: (percent) => below(100) < percent,
  pick: (list) => list[below(list.length)],
  hex: (bytes) => Buffer.from(bytes).toString("hex"),
  pskKey: (id) => Buffer.from(`the key of ${id}, long enough`) };
