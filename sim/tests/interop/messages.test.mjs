// What events can carry, and who answers: binary, acks, timeouts, volatile.

import assert from "node:assert/strict";

import { fence, ok, raw, served, until } from "./clients.mjs";

const VALUES = [
  null, true, false, 0, -1, 1.5, 1e21, Number.MAX_SAFE_INTEGER, "", "text", "naïve 🦀 \u0000 \u001e \u2028 \"\\",
  [], [[], [1, [2]]], {}, { a: { b: [null] }, "": 0, __proto: 1 }, { _placeholder: true, num: 0 },
];

for (const transports of [["polling"], ["websocket"]]) {
  const by = transports[0];

  served(`values survive the way there and back by ${by}`, {}, async (world) => {
    const alice = await world.connected("/", { transports });
    for (const value of VALUES) assert.deepEqual(await ok(alice, "echo", value, value), [value, value]);
    assert.deepEqual(await ok(alice, "echo"), []);
    const many = Array.from({ length: 1000 }, (_, i) => i);
    assert.deepEqual(await ok(alice, "echo", ...many), many);
  });

  served(`binary survives the way there and back by ${by}`, {}, async (world) => {
    const { alice, bob } = await world.people(["alice", "bob"], "/", { transports });
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const [same, nested] = await ok(alice, "echo", all, { deep: [all, { deeper: Buffer.alloc(0) }], text: "x" });
    assert.deepEqual(same, all);
    assert.deepEqual(nested, { deep: [all, { deeper: Buffer.alloc(0) }], text: "x" });
    await ok(alice, "broadcast", { event: "picture", args: [1, all, { thumb: new Uint8Array([7]) }] });
    await fence(bob);
    assert.deepEqual(bob.heard, [["picture", 1, all, { thumb: Buffer.from([7]) }]]);
    bob.on("picture", (...args) => args.at(-1)({ seen: all }));
    const [answers] = await ok(alice, "ask", { event: "picture", args: [all] });
    assert.deepEqual(answers, [{ seen: all }]);
  });

  served(`messages of a sender arrive in their order by ${by}`, {}, async (world) => {
    const { alice, bob } = await world.people(["alice", "bob"], "/", { transports });
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    // Some with binary, which needs several packets of the transport.
    for (const i of numbers) alice.emit("broadcast", { event: "n", args: [i % 7 ? i : { i, b: Buffer.from([i & 255]) }] });
    await fence(alice);
    await fence(bob);
    assert.deepEqual(bob.heard.map(([, n]) => n.i ?? n), numbers);
  });

  served(`a message of nearly a megabyte passes by ${by}, both ways`, {}, async (world) => {
    const alice = await world.connected("/", { transports });
    const text = "x".repeat(900_000);
    assert.equal((await ok(alice, "echo", text))[0].length, text.length);
    const bytes = Buffer.alloc(600_000, 0xa5);
    assert.ok((await ok(alice, "echo", bytes))[0].equals(bytes));
  });
}

served("the server asks a client, and passes its answer on", {}, async (world) => {
  const { alice, bob } = await world.people(["alice", "bob"]);
  bob.on("sum", (a, b, answer) => answer(a + b, { by: "bob" }));
  assert.deepEqual(await ok(alice, "tell", { id: bob.id, event: "sum", args: [2, 3] }), [5, { by: "bob" }]);
  assert.deepEqual(await raw(alice, "tell", { id: bob.id, event: "nobody listens", timeout: 100 }), ["timeout"]);
  assert.deepEqual(await raw(alice, "tell", { id: "nobody", event: "sum" }), ["error", "no such socket"]);
});

served("a broadcast with acks gathers the answers of exactly those that it reached", {}, async (world) => {
  const { alice, bob, carol, dave } = await world.people(["alice", "bob", "carol", "dave"]);
  for (const [name, socket] of Object.entries({ alice, bob, carol, dave })) socket.on("who", (answer) => answer(name));
  const asked = async (options) => (await ok(alice, "ask", { event: "who", ...options }))[0].sort();
  assert.deepEqual(await asked({}), ["bob", "carol", "dave"]);
  assert.deepEqual(await asked({ except: [carol.id] }), ["bob", "dave"]);
  assert.deepEqual(await asked({ from: "namespace", to: [alice.id, bob.id] }), ["alice", "bob"]);
  assert.deepEqual(await asked({ to: "empty" }), []);
});

served("a broadcast with acks that somebody does not answer ends with the answers of the others", {}, async (world) => {
  const { alice, bob } = await world.people(["alice", "bob", "carol"]);
  bob.on("who", (answer) => answer("bob"));
  assert.deepEqual(await raw(alice, "ask", { event: "who", timeout: 200 }), ["timeout", ["bob"]]);
});

served("`emitWithAck` and `timeout` of the client", {}, async (world) => {
  const { alice, bob } = await world.people(["alice", "bob"]);
  assert.deepEqual(await alice.emitWithAck("join", "tea"), "ok");
  assert.equal(await alice.timeout(5_000).emitWithAck("echo", 1), "ok");
  // Nobody answers: the ack of the client runs out first, and the late answer harms nothing.
  bob.on("slow", () => {});
  await assert.rejects(alice.timeout(100).emitWithAck("ask", { event: "slow", timeout: 400 }), /operation has timed out/);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(await ok(alice, "echo", 2), [2]);
});

served("what is no request is answered with an error, and the connection lives", {}, async (world) => {
  const alice = await world.connected();
  assert.deepEqual(await raw(alice, "no such event"), ["error", "unknown event"]);
  assert.deepEqual(await raw(alice, "join"), ["error", "bad arguments"]);
  assert.deepEqual(await raw(alice, "broadcast", { event: "disconnect" }), ["error", "bad event name"]);
  assert.deepEqual(await ok(alice, "echo", "still here"), ["still here"]);
});

served("the data of a socket is kept by the server", {}, async (world) => {
  const alice = await world.connected();
  await ok(alice, "set", "name", "Alice");
  await ok(alice, "set", "seen", { times: [1, 2] });
  assert.deepEqual(await ok(alice, "get"), [{ name: "Alice", seen: { times: [1, 2] } }]);
});

served("a volatile message of a client that is not connected is forgotten; another is kept", {}, async (world) => {
  const bob = await world.connected();
  const alice = world.client("/", { autoConnect: false });
  alice.volatile.emit("chat", "forgotten");
  alice.emit("chat", "kept");
  alice.connect();
  await until(() => bob.heard.length > 0, "the message that was kept");
  await fence(alice);
  await fence(bob);
  assert.deepEqual(bob.heard.map(([, text]) => text), ["kept"]);
});

served("a volatile broadcast reaches who can take it", {}, async (world) => {
  const { alice, bob } = await world.people(["alice", "bob"], "/", { transports: ["websocket"] });
  await fence(bob);
  await ok(alice, "chat", "now", { volatile: true });
  await fence(bob);
  assert.deepEqual(bob.heard.map(([, text]) => text), ["now"]);
});

served("retries send again what was not answered, and keep the order", {}, async (world) => {
  const bob = await world.connected();
  const alice = await world.connected("/", { retries: 5, ackTimeout: 300 });
  let asked = 0;
  bob.on("question", (answer) => { if (++asked >= 3) answer("yes"); });
  const first = new Promise((resolve) => alice.emit("ask", { event: "question", timeout: 10_000 }, (...answer) => resolve(answer)));
  const second = new Promise((resolve) => alice.emit("chat", "afterwards", (...answer) => resolve(answer)));
  assert.deepEqual(await first, [null, "ok", ["yes"]]);
  assert.deepEqual(await second, [null, "ok"]);
  await fence(bob);
  const events = bob.heard.map(([event]) => event);
  assert.deepEqual(events, [...Array(asked).fill("question"), "chat"]);
  assert.ok(asked >= 3);
});

served("retries come to an end", {}, async (world) => {
  const bob = await world.connected();
  const alice = await world.connected("/", { retries: 2, ackTimeout: 100 });
  const answer = await new Promise((resolve) => alice.emit("ask", { event: "question", timeout: 10_000 }, resolve));
  assert.match(answer.message, /timed out/);
  await fence(bob);
  assert.equal(bob.heard.length, 3);
});

served("the server says what it is", { "ping-interval": 20_000 }, async (world) => {
  const alice = await world.connected();
  const [about] = await ok(alice, "about");
  assert.equal(about.contract, 1);
  assert.match(about.server, /^\S+ \S+/);
  assert.equal(about.options["ping-interval"], 20_000);
});
