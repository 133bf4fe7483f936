// Who hears: every way to choose an audience, and each time also who must not hear.

import assert from "node:assert/strict";

import { fence, heardOnlyBy, ok, raw, served, until } from "./clients.mjs";

const NAMES = ["alice", "bob", "carol", "dave"];

// Alice sends. Tea is of alice and bob, jam of bob and carol; dave is in the lobby only, like all.
const CASES = [
  [{}, ["bob", "carol", "dave"]],
  [{ from: "namespace" }, ["alice", "bob", "carol", "dave"]],
  [{ to: "lobby" }, ["bob", "carol", "dave"]],
  [{ to: "tea" }, ["bob"]],
  [{ to: "tea", from: "namespace" }, ["alice", "bob"]],
  [{ to: ["tea", "jam"] }, ["bob", "carol"]],
  [{ to: ["tea", "jam", "tea"], from: "namespace" }, ["alice", "bob", "carol"]],
  [{ to: "jam" }, ["bob", "carol"]],
  [{ to: "nobody's" }, []],
  [{ to: ["nobody's", "tea"] }, ["bob"]],
  [{ except: "tea" }, ["carol", "dave"]],
  [{ except: "tea", from: "namespace" }, ["carol", "dave"]],
  [{ except: ["tea", "jam"], from: "namespace" }, ["dave"]],
  [{ except: "nobody's" }, ["bob", "carol", "dave"]],
  [{ except: "lobby", from: "namespace" }, []],
  [{ to: "tea", except: "jam", from: "namespace" }, ["alice"]],
  [{ to: "tea", except: "tea" }, []],
  [{ to: "lobby", except: ["jam", "$dave"], from: "namespace" }, ["alice"]],
  [{ except: "$carol" }, ["bob", "dave"]],
  [{ except: ["$bob", "$dave"] }, ["carol"]],
  [{ to: "$carol" }, ["carol"]],
  [{ to: ["$carol", "jam"] }, ["bob", "carol"]],
  [{ to: "$carol", except: "$carol" }, []],
  [{ to: "$carol", except: "jam" }, []],
  [{ to: "$alice" }, []],
  [{ to: "$alice", from: "namespace" }, ["alice"]],
  [{ to: "tea", local: true, compress: false }, ["bob"]],
];

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  served(`the audience of each choice of rooms, by ${transports.join(" and then ")}`, {}, async (world) => {
    const people = await world.people(NAMES, "/", { transports });
    const { alice, bob, carol } = people;
    await Promise.all([ok(alice, "join", "tea"), ok(bob, "join", ["tea", "jam"]), ok(carol, "join", "jam")]);
    const resolve = (rooms) => (Array.isArray(rooms) ? rooms : [rooms]).map((room) => (room[0] === "$" ? people[room.slice(1)].id : room));
    for (const [i, [options, hearers]] of CASES.entries()) {
      const target = { ...options, ...(options.to && { to: resolve(options.to) }), ...(options.except && { except: resolve(options.except) }) };
      const ids = (await ok(alice, "who", target))[0].sort();
      assert.deepEqual(ids, hearers.map((name) => people[name].id).sort(), `who: ${JSON.stringify(options)}`);
      await ok(alice, "broadcast", { ...target, event: `m${i}`, args: [i] });
      await heardOnlyBy(hearers, people, `m${i}`);
    }
  });
}

served("`chat` goes to the lobby unless a room is named, and says from whom it is", {}, async (world) => {
  const people = await world.people(NAMES);
  const { alice, bob, carol } = people;
  await ok(bob, "join", "tea");
  await ok(carol, "leave", "lobby");
  await ok(alice, "chat", "hi");
  await heardOnlyBy(["bob", "dave"], people, "chat");
  assert.deepEqual(bob.heard, [["chat", "hi", { from: alice.id }]]);
  for (const socket of Object.values(people)) socket.heard.length = 0;
  await ok(alice, "chat", "psst", { to: "tea" });
  await heardOnlyBy(["bob"], people, "chat");
});

served("who has left a room hears it no more; who comes back hears it again", {}, async (world) => {
  const people = await world.people(NAMES);
  const { alice, bob } = people;
  await ok(bob, "join", "tea");
  await ok(bob, "join", "tea");
  assert.deepEqual(await ok(bob, "rooms"), [[bob.id, "lobby", "tea"]]);
  await ok(alice, "broadcast", { to: "tea", event: "one" });
  await ok(bob, "leave", "tea");
  await ok(bob, "leave", "never joined");
  await ok(alice, "broadcast", { to: "tea", event: "two" });
  await ok(bob, "join", "tea");
  await ok(alice, "broadcast", { to: "tea", event: "three" });
  await heardOnlyBy(["bob"], people, "one");
  await heardOnlyBy([], people, "two");
  await heardOnlyBy(["bob"], people, "three");
});

served("whoever leaves their own room is found by their id no more, and hears the rest", {}, async (world) => {
  const people = await world.people(NAMES);
  const { alice, bob } = people;
  await ok(bob, "leave", bob.id);
  await ok(alice, "broadcast", { to: bob.id, event: "by id" });
  await ok(alice, "broadcast", { except: bob.id, event: "except id" });
  await heardOnlyBy([], people, "by id");
  await heardOnlyBy(["bob", "carol", "dave"], people, "except id");
});

served("the server moves sockets between rooms", {}, async (world) => {
  const people = await world.people(NAMES);
  const { alice, bob } = people;
  await ok(bob, "join", "tea");
  await ok(alice, "move", { to: "tea", join: ["jam"] });
  await ok(alice, "move", { to: "jam", leave: ["tea"] });
  await ok(alice, "broadcast", { to: "jam", event: "jam" });
  await ok(alice, "broadcast", { to: "tea", event: "tea" });
  await heardOnlyBy(["bob"], people, "jam");
  await heardOnlyBy([], people, "tea");
});

served("the server disconnects exactly those who are meant", {}, async (world) => {
  const { alice, bob, carol, dave } = await world.people(NAMES);
  await ok(bob, "join", "out");
  await ok(carol, "join", "out");
  await ok(alice, "kick", { to: "out", except: carol.id });
  await until(() => !bob.connected, "bob is out");
  await fence(alice, carol, dave);
  assert.deepEqual((await ok(alice, "who"))[0].sort(), [carol.id, dave.id].sort());
});

served("a socket that has gone is in no audience", {}, async (world) => {
  const { alice, bob, carol } = await world.people(["alice", "bob", "carol"]);
  const gone = bob.id;
  bob.disconnect();
  await until(async () => (await ok(alice, "who"))[0].length === 1, "bob has gone");
  await ok(alice, "broadcast", { to: [gone, "lobby"], event: "late" });
  await fence(carol);
  assert.deepEqual([bob.heard.length, carol.heard.length], [0, 1]);
  assert.deepEqual(await raw(alice, "ask", { to: gone, event: "there?", timeout: 5_000 }), ["ok", []]);
});
