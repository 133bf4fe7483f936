// Measures socket.io-adapter on W(S): `node --expose-gc adapter.mjs S SAMPLES MILLISECONDS`.
// Builds once and prints MEM; then runs one round for each line of standard input.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { workload } from "./workload.mjs";

const require = createRequire(import.meta.url);
const { Adapter } = require("socket.io-adapter");
const { Encoder } = require("socket.io-parser");

const [sockets, samples, milliseconds] = process.argv.slice(2).map(Number);
const w = workload(sockets);
let count = 0;
let sum = 0;

class Client {
  constructor(index) {
    this.index = index;
  }

  writeToEngine() {
    count++;
    sum += this.index + 1;
  }
}

class StubSocket {
  constructor(id, index) {
    this.id = id;
    this.client = new Client(index);
    this._anyOutgoingListeners = undefined;
  }

  notifyOutgoingListeners(packet) {
    if (this._anyOutgoingListeners && this._anyOutgoingListeners.length) {
      for (const listener of this._anyOutgoingListeners) listener.apply(this, packet.data);
    }
  }
}

const nsp = { name: "/", server: { encoder: new Encoder() }, sockets: new Map(), _ids: 0 };
const adapter = new Adapter(nsp);
for (let i = 0; i < sockets; i++) nsp.sockets.set(w.sids[i], new StubSocket(w.sids[i], i));

function connect(sid, rooms) {
  adapter.addAll(sid, new Set([sid]));
  adapter.addAll(sid, rooms);
}

gc();
gc();
const before = process.memoryUsage().heapUsed;
for (let i = 0; i < sockets; i++) connect(w.sids[i], new Set(w.member[i].map(w.name)));
gc();
gc();
const memberships = w.member.reduce((total, rooms) => total + rooms.length + 1, 0);
console.log(`MEM\t${(process.memoryUsage().heapUsed - before) / memberships}`);

// The lesser of wall and CPU time: another process on this core must not count.
let wallStart = 0;
let cpuStart = null;
function start() {
  cpuStart = process.cpuUsage();
  wallStart = performance.now();
}
function elapsedNs() {
  const wall = (performance.now() - wallStart) * 1e6;
  const cpu = process.cpuUsage(cpuStart);
  return Math.min(wall, (cpu.user + cpu.system) * 1e3);
}

function median(values) {
  values.sort((a, b) => a - b);
  return values[values.length >> 1];
}

function nsPerCall(call) {
  let i = 0;
  let batch = 1;
  for (;;) {
    const from = performance.now();
    for (let k = 0; k < batch; k++) call(i++);
    const took = performance.now() - from;
    if (took >= milliseconds) break;
    batch = took < milliseconds / 50 ? batch * 8 : Math.ceil(batch * (milliseconds / took) * 1.1);
  }
  const values = [];
  for (let q = 0; q < samples; q++) {
    start();
    for (let k = 0; k < batch; k++) call(i++);
    values.push(elapsedNs() / batch);
  }
  return median(values);
}

const payload = { from: "user-1234", text: "x".repeat(64), ts: 1700000000000 };
const packet = () => ({ type: 2, data: ["message", payload] });

function broadcasts() {
  for (const { name, ops } of w.cases) {
    const options = ops.map((op) => ({
      rooms: new Set(op.rooms.map(w.name)),
      except: new Set(op.except.map(w.name)),
      flags: {},
    }));
    count = 0;
    sum = 0;
    for (const each of options) adapter.broadcast(packet(), each);
    const [recipients, checksum] = [count, sum];
    const ns = nsPerCall((i) => adapter.broadcast(packet(), options[i % options.length]));
    console.log(`CASE\t${name}\t${ns}\t${recipients}\t${checksum}`);
  }
}

function timed(name, operations, call) {
  start();
  for (let i = 0; i < operations; i++) call(i);
  console.log(`CHURN\t${name}\t${elapsedNs() / operations}`);
}

function remove(sid) {
  adapter.delAll(sid);
  nsp.sockets.delete(sid);
}

function churn() {
  const joins = w.joins.map(([socket, room]) => [w.sids[socket], new Set([w.name(room)]), w.name(room)]);
  timed("join", joins.length, (i) => adapter.addAll(joins[i][0], joins[i][1]));
  timed("leave", joins.length, (i) => adapter.del(joins[i][0], joins[i][2]));
  const rooms = w.churn.map((fresh) => new Set(fresh.rooms.map(w.name)));
  const stubs = w.churn.map((fresh) => new StubSocket(fresh.sid, fresh.socket));
  timed("disconnect", w.churn.length, (i) => remove(w.sids[w.churn[i].socket]));
  timed("connect + 9 joins", w.churn.length, (i) => {
    nsp.sockets.set(w.churn[i].sid, stubs[i]);
    connect(w.churn[i].sid, rooms[i]);
  });
  // Back to the workload, for the next round.
  for (const { socket, sid } of w.churn) {
    remove(sid);
    nsp.sockets.set(w.sids[socket], new StubSocket(w.sids[socket], socket));
    connect(w.sids[socket], new Set(w.member[socket].map(w.name)));
  }
}

for await (const _ of createInterface({ input: process.stdin })) {
  broadcasts();
  churn();
  console.log("END");
}
