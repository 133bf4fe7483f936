// Who sees which message on the chat page, who does not, and what the pane says about it.

import assert from "node:assert/strict";

import { TOKEN, onPage } from "./people.mjs";

/**
 * A message to all after those in question: it takes the same way to each page, so that whoever sees
 * it has seen what was sent to them before.
 */
async function fence(sender, ...others) {
  await sender.leavesOut();
  await sender.speaksTo("Everyone here");
  await sender.say("fence");
  for (const person of others) await person.sees("fence", person.log);
}

const without = (messages) => messages.filter((text) => text !== "fence");

onPage("the lobby hears a message, and the pane says so on both sides", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await alice.say("good morning");
  assert.deepEqual(await alice.whoHeard("good morning"), { bob: "heard it", carol: "heard it", you: "did not hear it: the sender" });
  await alice.sees("Heard by bob and carol", alice.log);
  await bob.sees(/Heard by (you and carol|carol and you)/, bob.log);
  assert.deepEqual(await bob.whoHeard("good morning"), { you: "heard it", carol: "heard it" });
  for (const person of [alice, bob, carol]) assert.deepEqual(await person.messages(), ["good morning"]);
});

onPage("whoever wants to hear their own message does", async (world) => {
  const [alice] = await world.enter("alice", "bob");
  await alice.field("Hear it myself").check();
  await alice.say("echo");
  assert.deepEqual(await alice.whoHeard("echo"), { bob: "heard it", you: "heard it" });
  assert.deepEqual(await alice.messages(), ["echo"]);
});

onPage("who is left out does not hear, and the sender sees that", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await alice.leavesOut("carol");
  await alice.say("a party for carol");
  assert.deepEqual(await alice.whoHeard("a party"), { bob: "heard it", carol: "did not hear it: left out", you: "did not hear it: the sender" });
  await alice.sees("Heard by bob; not meant for carol", alice.log);
  await fence(alice, bob, carol);
  assert.deepEqual(without(await bob.messages()), ["a party for carol"]);
  assert.deepEqual(without(await carol.messages()), []);
});

onPage("a room hears what is said to it, and a room can be left out", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await alice.join("tea");
  await bob.join("tea");
  await carol.sees("lobby, #tea");
  await alice.speaksTo("#tea");
  await alice.say("milk?");
  assert.deepEqual(await alice.whoHeard("milk?"), { bob: "heard it", carol: "did not hear it: not in #tea", you: "did not hear it: the sender" });
  // Whoever is not in a room can speak to it.
  await carol.speaksTo("#tea");
  await carol.say("sugar?");
  assert.deepEqual(await carol.whoHeard("sugar?"), { alice: "heard it", bob: "heard it", you: "did not hear it: the sender" });
  await carol.speaksTo("The lobby");
  await carol.leavesOut("tea");
  await carol.say("coffee!");
  assert.deepEqual(await carol.whoHeard("coffee!"), { alice: "did not hear it: left out", bob: "did not hear it: left out", you: "did not hear it: the sender" });
  await bob.button("Leave #tea").click();
  await bob.sees("You left #tea.", bob.log);
  await alice.say("more milk?");
  assert.equal((await alice.whoHeard("more milk?")).bob, "did not hear it: not in #tea");
  await fence(alice, bob, carol);
  assert.deepEqual(without(await alice.messages()), ["milk?", "sugar?", "more milk?"]);
  assert.deepEqual(without(await bob.messages()), ["milk?", "sugar?"]);
  assert.deepEqual(without(await carol.messages()), ["sugar?", "coffee!"]);
});

onPage("one person can be spoken to, and after they have gone nobody hears it instead", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await alice.speaksTo("Only bob");
  await alice.say("between us");
  assert.deepEqual(await alice.whoHeard("between us"), { bob: "heard it", carol: "did not hear it: to somebody else", you: "did not hear it: the sender" });
  await bob.button("Leave the chat").click();
  await alice.sees("People here (2)");
  assert.equal(await alice.page.locator("#to option:checked").textContent(), "Only bob (gone)");
  await alice.say("still there?");
  await alice.sees("Heard by nobody", alice.log);
  await fence(alice, carol);
  assert.deepEqual(without(await carol.messages()), []);
});

onPage("the supervisors' namespace wants its token, has its seats, and keeps to itself", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await alice.takesSeat("guess");
  await alice.sees("The token is not right (not authorized).", alice.main);
  await alice.takesSeat(TOKEN);
  await alice.sees("You are in the supervisors' namespace.", alice.log);
  await bob.takesSeat(TOKEN);
  await bob.sees("All seats are taken: try again when somebody has left (namespace is full).", bob.main);
  await bob.takesSeat("guess");
  await bob.sees("The token is not right (not authorized).", bob.main);
  await alice.say("between supervisors");
  await alice.sees("Heard by nobody", alice.log);
  // What is said elsewhere is counted meanwhile.
  await carol.say("in the lobby");
  await alice.sees("Main (1 new)");
  await alice.visits("Main");
  assert.deepEqual(await alice.messages(), ["in the lobby"]);
  await bob.visits("Main");
  await fence(carol, alice, bob);
  for (const person of [bob, carol]) assert.deepEqual(without(await person.messages()), ["in the lobby"]);
  // The seat that is given back is another's.
  await alice.visits("Supervisors");
  await alice.button("Give the seat back").click();
  await alice.sees("This namespace asks for a token", alice.main);
  await bob.takesSeat(TOKEN);
  await bob.sees("You are in the supervisors' namespace.", bob.log);
  assert.deepEqual(await bob.messages(), []);
});

onPage("answers are shown as they come, and who does not answer in time is named", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await carol.field("Tell senders that I heard them").uncheck();
  await alice.say("anybody?");
  await alice.sees("Heard by bob so far", alice.log);
  assert.deepEqual(await alice.whoHeard("anybody?", false), { bob: "heard it", carol: "waiting" });
  assert.deepEqual(await alice.whoHeard("anybody?"), { bob: "heard it", carol: "no answer in 5 s", you: "did not hear it: the sender" });
  await alice.sees("Heard by bob; no answer from carol", alice.log);
  await bob.sees("Heard by you; no answer from carol", bob.log);
  await carol.sees("anybody?", carol.log);
});

onPage("whoever heard without having been meant is said to have overheard", async (world) => {
  const [alice, bob, carol] = await world.enter("alice", "bob", "carol");
  await alice.leavesOut("carol");
  await alice.say("a party for carol");
  await bob.sees("a party for carol", bob.log);
  // No server here lets her hear it, so her page is made to say that it did.
  const id = await bob.page.evaluate(() => place.log.find((entry) => entry.text === "a party for carol").id);
  await carol.page.evaluate((id) => place.ok("broadcast", { to: id.split("-").slice(0, -1).join("-"), event: "heard", args: [id, { id: place.socket.id, name: "carol" }] }), id);
  await alice.sees("Overheard by carol; heard by bob", alice.log);
  assert.equal((await alice.whoHeard("a party")).carol, "overheard it: not meant to");
});

onPage("names are shown, may change, and are text whatever they hold", async (world) => {
  const [alice, bob] = await world.enter("alice", "bob");
  const evil = "<img src=x onerror=alert(1)>";
  await alice.field("Your name").last().fill(evil);
  await alice.button("Rename").click();
  await bob.sees(evil, bob.page.locator("#people"));
  await alice.say("<script>alert(2)</script> &amp; {{x}}");
  await bob.sees("<script>alert(2)</script> &amp; {{x}}", bob.log);
  assert.equal(await bob.page.locator("img").count(), 0);
});

onPage("whatever shape others give their events, the page goes on", async (world) => {
  const [alice, bob] = await world.enter("alice", "bob");
  const shapes = [[], [null], [1, 2], ["t", "x"], ["t", { from: {}, to: {}, except: {}, name: [] }], [{ toString: 1 }], [{ id: bob.name, name: { toString: 1 }, rooms: {} }], [[], []], ["x", { heard: 1, silent: 2 }]];
  await alice.page.evaluate(async (shapes) => {
    for (const event of ["chat", "presence", "heard", "heard-by", "other"]) for (const args of shapes) await place.ok("broadcast", { event, args });
  }, shapes);
  await alice.say("after all that");
  await bob.sees("after all that", bob.log);
  await alice.sees("Heard by bob", alice.log);
});
