// The ways to connect: long-polling, WebSocket, and the move from one to the other.

import assert from "node:assert/strict";

import { connects, fence, next, ok, refusal, served, until } from "./clients.mjs";

const transport = (socket) => socket.io.engine.transport.name;

for (const name of ["polling", "websocket"]) {
  served(`${name} alone carries events both ways`, {}, async (world) => {
    const { alice, bob } = await world.people(["alice", "bob"], "/", { transports: [name] });
    await ok(alice, "chat", "hi");
    await ok(bob, "chat", "hello");
    await fence(alice, bob);
    assert.deepEqual(alice.heard, [["chat", "hello", { from: bob.id }]]);
    assert.deepEqual(bob.heard, [["chat", "hi", { from: alice.id }]]);
    assert.equal(transport(alice), name);
  });
}

served("a connection moves from polling to WebSocket and loses nothing on the way", {}, async (world) => {
  const bob = await world.connected("/", { transports: ["websocket"] });
  const alice = world.client();
  await next(alice.io, "open");
  assert.equal(transport(alice), "polling");
  await next(alice, "connect");
  const { id } = alice;
  const sent = [];
  const say = async (text) => { sent.push(text); await ok(bob, "chat", text); };
  while (transport(alice) === "polling") await say(sent.length);
  for (let i = 0; i < 50; i++) await say(`after ${i}`);
  await fence(alice);
  assert.equal(alice.id, id);
  assert.deepEqual(alice.heard.map(([, text]) => text), sent);
});

served("an upgrade that is not allowed is not offered", { "allow-upgrades": false }, async (world) => {
  const manager = world.manager({ autoConnect: false });
  manager.open();
  const [{ upgrades }] = await next(manager.engine, "handshake");
  assert.deepEqual(upgrades, []);
  const alice = world.watch(manager.socket("/"));
  alice.connect();
  await connects(alice);
  await fence(alice);
  assert.equal(transport(alice), "polling");
});

served("a transport that the server does not have is refused", { transports: ["polling"] }, async (world) => {
  const alice = world.client("/", { transports: ["websocket"] });
  assert.equal((await refusal(alice)).message, "websocket error");
});

served("a client that tries all transports finds the one that works", { transports: ["polling"] }, async (world) => {
  const alice = await world.connected("/", { transports: ["websocket", "polling"], tryAllTransports: true });
  assert.equal(transport(alice), "polling");
});

served("the handshake tells the options of the server", { "ping-interval": 12_000, "ping-timeout": 7_000, "max-http-buffer-size": 54_321 }, async (world) => {
  const manager = world.manager({ autoConnect: false, transports: ["websocket"] });
  manager.open();
  const [handshake] = await next(manager.engine, "handshake");
  const { pingInterval, pingTimeout, maxPayload, upgrades } = handshake;
  assert.deepEqual({ pingInterval, pingTimeout, maxPayload, upgrades }, { pingInterval: 12_000, pingTimeout: 7_000, maxPayload: 54_321, upgrades: [] });
});

for (const name of ["polling", "websocket"]) {
  served(`pings keep a quiet ${name} connection alive`, { "ping-interval": 100, "ping-timeout": 2_000 }, async (world) => {
    const alice = await world.connected("/", { transports: [name] });
    let pings = 0;
    alice.io.on("ping", () => pings++);
    await until(() => pings >= 5, "five pings");
    assert.ok(alice.connected);
  });
}
