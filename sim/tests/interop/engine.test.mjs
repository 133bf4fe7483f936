// Below the official client: what is on the wire, and what bad input gets.

import assert from "node:assert/strict";
import { connect } from "node:net";
import WebSocket from "ws";

import { fence, next, ok, served } from "./clients.mjs";

/** One Engine.IO session by long-polling, a request at a time. */
class Polling {
  constructor(url) { this.address = `${url}/socket.io/?EIO=4&transport=polling`; }

  async open() {
    const [packet] = await this.get();
    assert.equal(packet[0], "0");
    this.handshake = JSON.parse(packet.slice(1));
    this.address += `&sid=${this.handshake.sid}`;
    return this;
  }

  async get() {
    const response = await fetch(this.address);
    this.status = response.status;
    return (await response.text()).split("\x1e");
  }

  async post(...packets) {
    const response = await fetch(this.address, { method: "POST", body: packets.join("\x1e") });
    this.status = response.status;
    return response.text();
  }
}

/** A WebSocket without Engine.IO. */
async function webSocket(url) {
  const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  const [first] = await next(socket, "message");
  return { socket, handshake: JSON.parse(String(first).slice(1)) };
}

async function bad(url, query, options) {
  const response = await fetch(`${url}/socket.io/?${query}`, options);
  return [response.status, await response.json()];
}

served("a handshake that cannot be is refused with its code", {}, async ({ url }) => {
  assert.deepEqual(await bad(url, "EIO=4"), [400, { code: 0, message: "Transport unknown" }]);
  assert.deepEqual(await bad(url, "EIO=4&transport=pigeon"), [400, { code: 0, message: "Transport unknown" }]);
  assert.deepEqual(await bad(url, "EIO=4&transport=polling&sid=unknown"), [400, { code: 1, message: "Session ID unknown" }]);
  assert.deepEqual(await bad(url, "EIO=4&transport=polling", { method: "POST", body: "x" }), [400, { code: 2, message: "Bad handshake method" }]);
  assert.deepEqual(await bad(url, "EIO=3&transport=polling"), [400, { code: 5, message: "Unsupported protocol version" }]);
});

served("a session by hand: handshake, namespace, event, ack, and several packets in one body", {}, async ({ url }) => {
  const session = await new Polling(url).open();
  assert.equal(await session.post("40"), "ok");
  const [connected] = await session.get();
  assert.match(connected, /^40\{"sid":"[^"]{10,}"/);
  await session.post('421["echo",1]', '422["echo",2]', '423["rooms"]');
  const answers = [];
  while (answers.length < 3) answers.push(...await session.get());
  assert.deepEqual(answers.slice(0, 2), ['431["ok",1]', '432["ok",2]']);
  assert.match(answers[2], /^433\["ok",\["[^"]+","lobby"\]\]$/);
  await session.post("1");
  await session.post("40");
  assert.equal(session.status, 400);
});

served("a volatile broadcast does not wait for a session that has no request open", {}, async (world) => {
  const session = await new Polling(world.url).open();
  await session.post("40");
  await session.get();
  const bob = await world.connected("/", { transports: ["websocket"] });
  await ok(bob, "broadcast", { event: "forgotten", volatile: true });
  await ok(bob, "broadcast", { event: "kept" });
  assert.deepEqual(await session.get(), ['42["kept"]']);
});

served("two requests of one session at a time end it", {}, async ({ url }) => {
  const session = await new Polling(url).open();
  const first = session.get();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const second = await fetch(session.address);
  assert.equal(second.status, 400);
  assert.deepEqual(await first, ["1"]);
});

served("a client that does not answer pings is dropped, and its socket with it", { "ping-interval": 100, "ping-timeout": 1_000 }, async (world) => {
  const bob = await world.connected();
  const { socket } = await webSocket(world.url);
  socket.send("40");
  await next(socket, "message");
  assert.equal((await ok(bob, "who"))[0].length, 1);
  const [code] = await next(socket, "close");
  assert.ok(code >= 1000, String(code));
  assert.equal((await ok(bob, "who"))[0].length, 0);
});

served("a connection that enters no namespace is dropped", { "connect-timeout": 200 }, async ({ url }) => {
  const { socket } = await webSocket(url);
  await next(socket, "close");
});

served("what is no packet ends its own connection only", {}, async (world) => {
  const bob = await world.connected();
  const enter = [[], ["40"]];
  const garbage = ["x", "4", "49", "42", '42{"a":1}', "42[", '42["connect"]', '451-["x"]', "40/" + "x".repeat(10), "9", "2probe", "\u0000"];
  for (const first of enter) for (const packet of garbage) {
    const { socket } = await webSocket(world.url);
    for (const text of [...first, packet]) socket.send(text);
    socket.close();
    await next(socket, "close");
  }
  for (const body of ["", "x", "\x1e", "4", "4[", "b!!!"]) {
    const session = await new Polling(world.url).open();
    await session.post(body);
  }
  await fence(bob);
});

served("a polling client is told that its body is too large", { "max-http-buffer-size": 1_000 }, async ({ url }) => {
  const session = await new Polling(url).open();
  await session.post("4" + "x".repeat(2_000)).catch(() => { session.status = 413; });
  assert.equal(session.status, 413);
});

served("what is no HTTP is answered or hung up on, and the server lives", {}, async (world) => {
  const bob = await world.connected();
  for (const bytes of ["\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "GET / HTTP/9.9\r\n\r\n"]) {
    const socket = connect(world.server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.end(bytes);
    socket.resume();
    await next(socket, "close");
  }
  await fence(bob);
});
