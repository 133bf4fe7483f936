// How connections end and come back: reasons, reconnection, recovery, limits.

import assert from "node:assert/strict";

import { connects, fence, next, ok, served, until } from "./clients.mjs";
import { isOurs } from "./server.mjs";

const comesBack = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 100 };
const TRANSPORTS = [["polling"], ["websocket"]];

served("the reason says who has ended it", {}, async (world) => {
  const { alice, bob, carol, dave } = await world.people(["alice", "bob", "carol", "dave"]);
  const reason = async (socket, act) => { const end = next(socket, "disconnect"); await act(); return (await end)[0]; };
  assert.equal(await reason(bob, () => bob.disconnect()), "io client disconnect");
  assert.equal(await reason(carol, () => ok(alice, "kick", { to: carol.id })), "io server disconnect");
  const closed = next(dave.io.engine, "close");
  assert.equal(await reason(dave, () => ok(alice, "kick", { to: dave.id, close: true })), "io server disconnect");
  await closed;
  assert.equal(await reason(alice, () => alice.io.engine.close()), "forced close");
});

served("a kicked socket stays away, and its connection may carry others", { namespaces: { "/a": {} } }, async (world) => {
  const alice = await world.connected();
  const manager = world.manager(comesBack);
  const [bob, a] = ["/", "/a"].map((nsp) => world.watch(manager.socket(nsp)));
  await Promise.all([connects(bob), connects(a)]);
  await ok(alice, "kick");
  await until(() => !bob.connected, "bob is out");
  await fence(a);
  assert.equal(bob.active, false);
});

for (const transports of TRANSPORTS) {
  const by = transports[0];

  served(`a connection by ${by} that was lost comes back, as another socket`, {}, async (world) => {
    const alice = await world.connected("/", { transports, ...comesBack });
    const bob = await world.connected();
    const { id } = alice;
    await ok(alice, "join", "tea");
    const lost = next(alice, "disconnect");
    alice.io.engine.close();
    await lost;
    await next(alice, "connect");
    assert.notEqual(alice.id, id);
    assert.ok(!alice.recovered);
    assert.deepEqual(await ok(alice, "rooms"), [[alice.id, "lobby"]]);
    await until(async () => (await ok(bob, "who"))[0].length === 1, "the old socket has gone");
    await ok(bob, "chat", "welcome back");
    await fence(alice);
    assert.equal(alice.heard.length, 1);
  });

  served(`a server that is told to stop stops, and clients by ${by} find its successor`, {}, async (world) => {
    const alice = await world.connected("/", { transports, ...comesBack });
    const lost = next(alice, "disconnect");
    const end = await world.server.stop();
    if (isOurs) assert.deepEqual(end, { code: 0, signal: null });
    assert.match((await lost)[0], /^transport (close|error)$/);
    alice.emit("chat", "said while away");
    await world.restart({});
    const bob = await world.connected();
    if (!alice.connected) await next(alice, "connect");
    await ok(alice, "chat", "said after");
    await fence(bob);
    assert.equal(bob.heard.at(-1)[1], "said after");
  });

  served(`a server that is killed is found missing by ${by}`, {}, async (world) => {
    const alice = await world.connected("/", { transports, ...comesBack });
    const lost = next(alice, "disconnect");
    await world.server.kill();
    assert.match((await lost)[0], /^transport (close|error)$/);
    await world.restart({});
    await next(alice, "connect");
    await fence(alice);
  });

  served(`what is too large ends the connection by ${by}, and harms no bystander`, { "max-http-buffer-size": 1_000 }, async (world) => {
    const bob = await world.connected();
    const alice = await world.connected("/", { transports });
    assert.equal((await ok(alice, "echo", "x".repeat(900)))[0].length, 900);
    const lost = next(alice, "disconnect");
    alice.emit("broadcast", { event: "large", args: ["x".repeat(2_000)] });
    assert.match((await lost)[0], /^transport (close|error)$/);
    await fence(bob);
    assert.deepEqual(bob.heard, []);
  });

  served(`what was missed arrives by ${by} after a recovery, once and in order`, { recovery: 60_000 }, async (world) => {
    const bob = await world.connected();
    const alice = await world.connected("/", { transports });
    const { id } = alice;
    await ok(alice, "join", "tea");
    await ok(alice, "set", "name", "Alice");
    await ok(bob, "chat", "before");
    await fence(alice);
    const lost = next(alice, "disconnect");
    alice.io.engine.close();
    await lost;
    await until(async () => (await ok(bob, "who"))[0].length === 0, "alice has gone");
    await ok(bob, "chat", "first");
    await ok(bob, "broadcast", { to: "tea", event: "chat", args: ["second", { b: Buffer.from([1]) }] });
    await ok(bob, "broadcast", { to: "other room", event: "chat", args: ["not for alice"] });
    await ok(bob, "broadcast", { except: "tea", event: "chat", args: ["not for alice"] });
    await ok(bob, "chat", "not kept", { volatile: true });
    alice.connect();
    await connects(alice);
    assert.equal(alice.recovered, true);
    assert.equal(alice.id, id);
    await fence(alice);
    assert.deepEqual(alice.heard.map(([, text]) => text), ["before", "first", "second"]);
    assert.deepEqual(alice.heard[2][2], { b: Buffer.from([1]) });
    assert.deepEqual((await ok(alice, "rooms"))[0].sort(), [id, "lobby", "tea"].sort());
    assert.deepEqual(await ok(alice, "get"), [{ name: "Alice" }]);
    await ok(bob, "chat", "after");
    await fence(alice);
    assert.equal(alice.heard.length, 4);
  });
}

served("a recovery that comes too late is a new connection", { recovery: 50 }, async (world) => {
  const bob = await world.connected();
  const alice = await world.connected();
  await ok(bob, "chat", "before");
  await fence(alice);
  const { id } = alice;
  alice.io.engine.close();
  await until(async () => (await ok(bob, "who"))[0].length === 0, "alice has gone");
  await ok(bob, "chat", "missed");
  await new Promise((resolve) => setTimeout(resolve, 300));
  alice.connect();
  await connects(alice);
  assert.ok(!alice.recovered);
  assert.notEqual(alice.id, id);
  await fence(alice);
  assert.deepEqual(alice.heard.map(([, text]) => text), ["before"]);
});

served("who leaves on purpose is not recovered", { recovery: 60_000 }, async (world) => {
  const bob = await world.connected();
  const alice = await world.connected();
  await ok(bob, "chat", "before");
  await fence(alice);
  alice.disconnect();
  await until(async () => (await ok(bob, "who"))[0].length === 0, "alice has gone");
  await ok(bob, "chat", "missed");
  alice.connect();
  await connects(alice);
  assert.ok(!alice.recovered);
  await fence(alice);
  assert.deepEqual(alice.heard.map(([, text]) => text), ["before"]);
});

served("a made-up session is not recovered", { recovery: 60_000 }, async (world) => {
  const alice = await world.connected("/", { auth: { pid: "made up", offset: "made up" } });
  assert.ok(!alice.recovered);
  await fence(alice);
});

served("a server that falls silent is found out by its missing pings", { "ping-interval": 100, "ping-timeout": 1_000 }, async (world) => {
  const alice = await world.connected("/", { transports: ["websocket"], ...comesBack });
  const lost = next(alice, "disconnect");
  world.server.pause();
  try {
    assert.equal((await lost)[0], "ping timeout");
  } finally {
    world.server.resume();
  }
  await next(alice, "connect");
  await fence(alice);
});

served("what a client says while it is away is said once it is back", {}, async (world) => {
  const bob = await world.connected();
  const alice = await world.connected("/", comesBack);
  alice.io.engine.close();
  await until(() => !alice.connected, "alice is away");
  alice.emit("chat", "one");
  alice.emit("chat", "two");
  await next(alice, "connect");
  await fence(alice);
  await fence(bob);
  assert.deepEqual(bob.heard.map(([, text]) => text), ["one", "two"]);
});

served("an ack that is waited for when the connection ends fails at once", {}, async (world) => {
  const { alice, bob } = await world.people(["alice", "bob"]);
  const asked = next(bob, "question");
  const pending = new Promise((resolve) => alice.timeout(20_000).emit("ask", { event: "question", timeout: 20_000 }, resolve));
  await asked;
  alice.io.engine.close();
  assert.match((await pending).message, /disconnected/);
});
