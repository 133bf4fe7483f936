// The chat page itself: keyboard, accessibility, connection, and how it looks.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

import { start } from "../interop/server.mjs";
import { MEDIUM, NARROW, TOKEN, WIDE, onPage } from "./people.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** No rule of axe-core is broken by what is shown. */
async function accessible(person, what) {
  await person.page.evaluate(AXE);
  const { violations } = await person.page.evaluate(() => axe.run());
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(told, [], what);
}

/** No part is wider than the window. */
async function fits(person, what) {
  const width = await person.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(width <= 0, `${what}: ${width} pixels too wide`);
}

/** The element that has the focus: its name, and whether one sees that it has it. */
const focused = (person) => person.page.evaluate(() => {
  const element = document.activeElement;
  const shown = element.matches("#places input") ? element.nextElementSibling : element;
  const name = element.labels?.[0]?.textContent.trim() || element.getAttribute("aria-label") || element.textContent.trim();
  return { name, id: element.id, outline: getComputedStyle(shown).outlineStyle !== "none" };
});

onPage("everything can be done by keyboard, and the focus is always seen", async (world) => {
  const [bob] = await world.enter("bob");
  const alice = await world.open();
  const { keyboard } = alice.page;
  const at = async (id) => {
    const seen = await focused(alice);
    assert.equal(seen.id, id);
    assert.ok(seen.outline, `the focus on ${id} is not seen`);
  };
  /** Presses Tab until that element has the focus; every stop before it has a name and is seen. */
  const tabTo = async (id, key = "Tab") => {
    for (let i = 0; i < 40; i++) {
      await keyboard.press(key);
      const seen = await focused(alice);
      assert.ok(seen.outline && seen.name, `a stop on the way to ${id}: ${JSON.stringify(seen)}`);
      if (seen.id === id || seen.name === id) return;
    }
    assert.fail(`${id} is not reached`);
  };
  await at("name");
  await keyboard.type("alice");
  await keyboard.press("Enter");
  await alice.sees("People here (2)");
  await at("text");
  await keyboard.type("no mouse");
  await keyboard.press("Enter");
  await bob.sees("no mouse", bob.log);
  await at("text");
  await tabTo("room", "Shift+Tab");
  await keyboard.type("tea");
  await keyboard.press("Enter");
  await alice.sees("You joined #tea.", alice.log);
  await tabTo("Leave out: nobody");
  await keyboard.press("Enter");
  await tabTo("bob");
  await keyboard.press("Space");
  await alice.sees("Leave out: bob");
  await tabTo("text");
  await keyboard.type("not for bob");
  await keyboard.press("Enter");
  assert.equal((await alice.whoHeard("not for bob")).bob, "did not hear it: left out");
  await tabTo("answers", "Shift+Tab");
  await tabTo("Main", "Shift+Tab");
  await keyboard.press("ArrowRight");
  await alice.sees("This namespace asks for a token", alice.main);
  await tabTo("token");
  await keyboard.type("guess");
  await keyboard.press("Enter");
  await alice.sees("The token is not right (not authorized).", alice.main);
  await at("token");
  await keyboard.type(TOKEN);
  await keyboard.press("Enter");
  await alice.sees("You are in the supervisors' namespace.", alice.log);
  await at("text");
  await tabTo("leave-place", "Shift+Tab");
  await keyboard.press("Enter");
  await alice.sees("This namespace asks for a token", alice.main);
  await at("token");
  assert.deepEqual(await bob.messages(), ["no mouse"]);
});

onPage("a server that comes back is found again, and the rooms are taken back", async (world) => {
  const [alice, bob] = await world.enter("alice", "bob");
  for (const person of [alice, bob]) { person.mayLoseServer = true; await person.join("tea"); }
  await alice.button("Leave the lobby").click();
  await alice.sees("You left the lobby.", alice.log);
  await world.server.stop();
  await alice.sees(/Not connected: .*Trying again|Connecting again/, alice.page.locator("header"));
  await alice.sees(/You are not connected/, alice.log);
  await alice.say("lost words");
  await alice.sees("Not connected: the message was not sent. It is still in the field.");
  assert.equal(await alice.field("Message").inputValue(), "lost words");
  world.server = await start({}, world.server.port);
  for (const person of [alice, bob]) {
    await person.sees("Connected by WebSocket", person.page.locator("header"));
    await person.sees("People here (2)");
    await person.sees("Connected again. What was said in between was not heard here.", person.log);
  }
  await alice.page.locator("#rooms").getByText("#tea").waitFor();
  assert.deepEqual(await alice.page.locator("#rooms li > span").allTextContents(), ["#tea"]);
  await alice.page.locator("#people li", { hasText: "bob" }).getByText("lobby, #tea").waitFor();
  await bob.speaksTo("#tea");
  await bob.say("back");
  assert.deepEqual(await bob.whoHeard("back"), { alice: "heard it", you: "did not hear it: the sender" });
  await bob.speaksTo("The lobby");
  await bob.say("lobby only");
  assert.equal((await bob.whoHeard("lobby only")).alice, "did not hear it: not in the lobby");
});

const RECOVERING = { recovery: 60_000 };

onPage("a short cut is recovered as the same socket", async (world) => {
  const [alice, bob] = await world.enter("alice", "bob");
  await bob.say("before");
  await alice.sees("before", alice.log);
  const id = () => alice.page.evaluate(() => place.socket.id);
  const first = await id();
  await bob.page.evaluate(() => place.ok("broadcast", { event: "chat", args: ["without an ack"] }));
  await alice.sees("without an ack", alice.log);
  await alice.page.evaluate(() => client.connection.end("cut by the test", true));
  await alice.sees("Connected again, as the same socket.", alice.log);
  assert.equal(await id(), first);
}, RECOVERING);

onPage("who is thrown out is told so, and may come again", async (world) => {
  const [alice, bob] = await world.enter("alice", "bob");
  await bob.page.evaluate(() => place.ok("kick"));
  await alice.sees("The server has ended your stay here.");
  await alice.button("Dismiss").click();
  await alice.enter("alice again");
  await bob.sees("alice again", bob.page.locator("#people"));
});

const POLLING = { transports: ["polling"] };

onPage("without WebSocket on the server the page polls", async (world) => {
  const alice = await world.open();
  alice.mayLoseServer = true;
  await alice.enter("alice");
  await alice.sees("Connected by long polling");
}, POLLING);

onPage("without WebSocket in between the page polls, and hears and is heard", async (world) => {
  const broken = () => { window.WebSocket = class { constructor() { throw new Error("no WebSocket here"); } }; };
  const alice = await world.open({ before: broken });
  await alice.enter("alice");
  const bob = await world.open();
  await bob.enter("bob");
  await alice.sees("People here (2)");
  await alice.sees("Connected by long polling");
  await alice.say("by hand 🦀 naïve");
  assert.equal((await alice.whoHeard("by hand")).bob, "heard it");
  await bob.say("by socket");
  assert.equal((await bob.whoHeard("by socket")).alice, "heard it");
  await alice.say("x".repeat(2_000));
  assert.equal((await alice.whoHeard("xxx")).bob, "heard it");
  // Leaving is told, so that nobody waits for pings to be missed.
  await alice.page.close();
  await bob.sees("People here (1)");
});

onPage("the page comes with a policy that allows nothing else, and needs nothing else", async (world) => {
  const response = await fetch(world.url);
  const policy = response.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  const text = await response.text();
  assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacent|document\.write|\seval\(| style=| on(click|load)=/);
  const alice = await world.open();
  await alice.enter("alice");
  await alice.takesSeat(TOKEN);
  await alice.sees("You are in the supervisors' namespace.");
});

onPage("it is accessible and fits, wide and narrow, light and dark", async (world) => {
  const looks = { "wide-light": [WIDE, "light"], "wide-dark": [WIDE, "dark"], "medium-light": [MEDIUM, "light"], "narrow-light": [NARROW, "light"], "narrow-dark": [NARROW, "dark"] };
  const [bob, carol] = await world.enter("bob", "carol");
  for (const person of [bob, carol]) await person.join("tea");
  for (const [look, [viewport, scheme]] of Object.entries(looks)) {
    const alice = await world.open({ viewport, scheme });
    const view = async (name) => { if (viewport === NARROW) await alice.button(name).click(); };
    const keep = async (part) => {
      await accessible(alice, `${look}, ${part}`);
      await fits(alice, `${look}, ${part}`);
      await alice.shot(`${look}-${part}`);
    };
    await keep("welcome");
    await alice.enter("alice");
    await view("People and rooms");
    await alice.sees("People here (3)");
    await alice.join("tea");
    await view("Chat");
    await alice.say("Good morning. Who is there?");
    await bob.say("Me. And here is a longer message, to see how a paragraph of some lines looks in between shorter ones; the garden behind the house would be a place for Friday.");
    await alice.leavesOut("carol");
    await alice.say("A_very_long_word_without_a_single_space_in_it_that_must_be_broken_somewhere_or_else_it_leaves_the_bubble_and_the_window");
    await alice.sees("Heard by bob; not meant for carol", alice.log);
    await keep("chat");
    await view("Who heard");
    await keep("heard");
    await view("People and rooms");
    await keep("people");
    await view("Chat");
    await alice.takesSeat("guess");
    await alice.sees("not authorized", alice.main);
    await keep("refused");
    await alice.visits("Main");
    await view("People and rooms");
    await alice.button("Leave the chat").click();
    await alice.page.close();
    await bob.sees("People here (2)");
  }
});

onPage("a lost server is said in words, also on a phone", async (world) => {
  const alice = await world.open({ viewport: NARROW, scheme: "dark" });
  alice.mayLoseServer = true;
  await alice.enter("alice");
  await world.server.kill();
  await alice.button("Try now").waitFor();
  await alice.say("anybody?");
  await alice.sees("Not connected: the message was not sent.");
  await fits(alice, "without a server");
  await alice.shot("narrow-dark-lost");
});
