// Namespaces: several over one connection, who is let in, seats, and names that match a pattern.

import assert from "node:assert/strict";

import { connects, fence, next, ok, refusal, served, until } from "./clients.mjs";

const SUPERVISORS = { namespaces: { "/supervisors": { token: "s3cret", seats: 2 } } };
const auth = { token: "s3cret" };

served("several namespaces share one connection, and hear nothing of each other", { namespaces: { "/a": {}, "/b": {} } }, async (world) => {
  const manager = world.manager();
  const [main, a, b] = ["/", "/a", "/b"].map((nsp) => world.watch(manager.socket(nsp)));
  const other = await world.connected("/a");
  await Promise.all([main, a, b].map((socket) => connects(socket)));
  assert.equal(new Set([main.id, a.id, b.id, manager.engine.id]).size, 4);
  await ok(other, "broadcast", { event: "for a", from: "namespace" });
  await fence(main, a, b, other);
  assert.deepEqual([main, a, b, other].map((socket) => socket.heard.length), [0, 1, 0, 1]);
  // The same room in another namespace is another room.
  await ok(a, "join", "tea");
  await ok(b, "join", "tea");
  await ok(other, "broadcast", { event: "for tea of a", to: "tea" });
  await fence(main, a, b);
  assert.deepEqual([main, a, b].map((socket) => socket.heard.length), [0, 2, 0]);
});

served("one namespace is left, and the others stay", { namespaces: { "/a": {} } }, async (world) => {
  const manager = world.manager();
  const [main, a] = ["/", "/a"].map((nsp) => world.watch(manager.socket(nsp)));
  await Promise.all([connects(main), connects(a)]);
  const left = next(a, "disconnect");
  a.disconnect();
  assert.equal((await left)[0], "io client disconnect");
  await fence(main);
  const first = manager.engine.id;
  a.connect();
  await connects(a);
  assert.equal(manager.engine.id, first);
});

served("`forceNew` makes another connection", {}, async (world) => {
  const { alice, again } = await world.people(["alice", "again"]);
  assert.notEqual(alice.io.engine.id, again.io.engine.id);
  assert.equal((await ok(alice, "who", { from: "namespace" }))[0].length, 2);
});

served("without `forceNew` namespaces share a connection by themselves", { namespaces: { "/a": {} } }, async (world) => {
  const [main, a] = ["/", "/a"].map((nsp) => world.client(nsp, { forceNew: false }));
  await Promise.all([connects(main), connects(a)]);
  assert.equal(main.io, a.io);
  await fence(main, a);
});

served("a wrong token is refused with its reason, and the right one is let in later", SUPERVISORS, async (world) => {
  const eve = world.client("/supervisors", { auth: { token: "guess" } });
  const error = await refusal(eve);
  assert.equal(error.message, "not authorized");
  assert.deepEqual(error.data, { code: "unauthorized" });
  assert.equal(eve.connected, false);
  assert.equal((await refusal(world.client("/supervisors"))).message, "not authorized");
  eve.auth = auth;
  eve.connect();
  await connects(eve);
});

served("a refused socket hears nothing, and is in no room", SUPERVISORS, async (world) => {
  const boss = await world.connected("/supervisors", { auth });
  const manager = world.manager();
  const main = world.watch(manager.socket("/"));
  const eve = world.watch(manager.socket("/supervisors", { auth: { token: "guess" } }));
  await Promise.all([connects(main), refusal(eve)]);
  await ok(boss, "broadcast", { event: "secret", from: "namespace" });
  await fence(main, boss);
  assert.deepEqual([eve.heard, main.heard, boss.heard.length], [[], [], 1]);
  assert.deepEqual(await ok(boss, "who", { from: "namespace" }), [[boss.id]]);
});

served("auth may be a function, asked anew for each connection", SUPERVISORS, async (world) => {
  const tokens = ["old", "s3cret"];
  const alice = world.client("/supervisors", { auth: (give) => give({ token: tokens.shift() }) });
  await refusal(alice);
  alice.connect();
  await connects(alice);
});

served("seats are limited, are checked after the token, and become free again", SUPERVISORS, async (world) => {
  const { first } = await world.people(["first", "second"], "/supervisors", { auth });
  assert.equal((await refusal(world.client("/supervisors", { auth }))).message, "namespace is full");
  assert.equal((await refusal(world.client("/supervisors", { auth: { token: "guess" } }))).message, "not authorized");
  first.disconnect();
  await until(async () => {
    const third = world.client("/supervisors", { auth });
    try { await connects(third); return true; } catch (error) { assert.equal(error.message, "namespace is full"); return false; }
  }, "the seat that was left");
});

const ONE_SEAT = { namespaces: { "/supervisors": { token: "s3cret", seats: 1, "auth-delay": 50 } } };

served("of several who come at the same time, one gets the one seat", ONE_SEAT, async (world) => {
  const sockets = Array.from({ length: 5 }, () => world.client("/supervisors", { auth }));
  const words = await Promise.all(sockets.map((socket) => connects(socket).then(() => "in", (error) => error.message)));
  assert.deepEqual(words.sort(), ["in", ...Array(4).fill("namespace is full")]);
});

served("a namespace that does not exist is refused", SUPERVISORS, async (world) => {
  assert.equal((await refusal(world.client("/nowhere"))).message, "Invalid namespace");
});

served("names that match a pattern are namespaces of their own", { dynamic: ["^/room-\\d+$"] }, async (world) => {
  const [one, two, also] = await Promise.all(["/room-1", "/room-2", "/room-1"].map((nsp) => world.connected(nsp)));
  await ok(one, "broadcast", { event: "hi" });
  await fence(one, two, also);
  assert.deepEqual([one, two, also].map((socket) => socket.heard.length), [0, 0, 1]);
  for (const nsp of ["/room-", "/room-1x", "/xroom-1"]) assert.equal((await refusal(world.client(nsp))).message, "Invalid namespace");
});

served("a namespace of its own knows no lobby", { namespaces: { "/a": {} } }, async (world) => {
  const [main, a] = [await world.connected("/"), await world.connected("/a")];
  assert.deepEqual(await ok(main, "rooms"), [[main.id, "lobby"]]);
  assert.deepEqual(await ok(a, "rooms"), [[a.id]]);
});
