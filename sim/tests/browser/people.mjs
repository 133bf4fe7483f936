// People who open the chat page, each in a window of one browser, and what they see.

import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { chromium } from "playwright-core";

import { start } from "../interop/server.mjs";

/** Debian's package; no browser is downloaded. */
const CHROMIUM = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

const SHOTS = process.env.SHOTS_DIR ?? fileURLToPath(new URL("../../../target/chat-page/", import.meta.url));

export const WIDE = { width: 1280, height: 800 };
export const MEDIUM = { width: 900, height: 760 };
export const NARROW = { width: 390, height: 844 };

/** The token and the one seat of the supervisors' namespace in these tests. */
export const TOKEN = "s3cret";
const OPTIONS = { namespaces: { "/supervisors": { token: TOKEN, seats: 1 } } };

/** What a browser says itself about a server that is away. */
const AWAY = /WebSocket connection to .* failed|net::ERR_/;

/** One person's window. */
export class Person {
  constructor(page, world) {
    Object.assign(this, { page, world, problems: [], foreign: [], mayLoseServer: false });
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !(this.mayLoseServer && AWAY.test(message.text()))) this.problems.push(message.text());
    });
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("request", (request) => this.note(request.url()));
    page.on("websocket", (socket) => this.note(socket.url().replace(/^ws/, "http")));
  }

  note(url) {
    if (!url.startsWith("data:") && new URL(url).origin !== new URL(this.world.url).origin) this.foreign.push(url);
  }

  get main() { return this.page.getByRole("main"); }
  get log() { return this.page.getByRole("log"); }
  get state() { return this.page.locator("#state"); }
  field(name) { return this.page.getByLabel(name, { exact: true }); }
  button(name) { return this.page.getByRole("button", { name, exact: true }); }
  place(name) { return this.page.getByRole("radio", { name }); }

  async sees(text, where = this.page.locator("body")) { await where.getByText(text).first().waitFor(); }

  async enter(name) {
    await this.page.locator("#name").fill(name);
    await this.button("Enter the lobby").click();
    await this.sees(/Connected by/, this.page.locator("header"));
    this.name = name;
  }

  async join(room) {
    await this.field("Room to join").fill(room);
    await this.button("Join").click();
    await this.button(`Leave #${room}`).waitFor();
  }

  async say(text) {
    await this.field("Message").fill(text);
    await this.button("Send").click();
  }

  /** The names that are ticked to be left out, from now on. */
  async leavesOut(...names) {
    const list = this.page.locator("#except");
    if (await list.getAttribute("open") === null) await list.locator("summary").click();
    for (const box of await list.getByRole("checkbox").all()) await box.uncheck();
    for (const name of names) await list.getByRole("checkbox", { name, exact: true }).check();
  }

  /** Whom the chosen ones are: the text of an option of the list. */
  async speaksTo(label) { await this.page.locator("#to").selectOption({ label }); }

  /** The messages in view, without notices. */
  async messages() { return this.log.locator(".bubble").allTextContents(); }

  /** The pane's rows about a message, as `{name: words}`; waits until it is settled. */
  async whoHeard(text, settled = true) {
    const audit = this.page.locator(".audit", { has: this.page.locator(".said", { hasText: text }) }).first();
    await audit.waitFor({ state: "attached" });
    if (settled) await audit.locator("li.waiting").first().waitFor({ state: "detached" });
    const rows = await audit.locator("li").evaluateAll((items) => items.map((item) => [item.children[1].textContent, item.children[2].textContent]));
    return Object.fromEntries(rows.map(([name, words]) => [name, words.replace(/ after \d+ ms$/, "")]));
  }

  async visits(name) { await this.page.locator("#places label", { hasText: name }).click(); }

  async takesSeat(token) {
    await this.visits("Supervisors");
    await this.field("Token").fill(token);
    await this.button("Take a seat").click();
  }

  async shot(name) {
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: `${SHOTS}/${name}.png` });
  }
}

/** A server, a browser, and the people in it. */
class World {
  constructor(server, browser) { Object.assign(this, { server, browser, url: server.url, people: [] }); }

  /** A window that is open on the page, without a name. */
  async open({ viewport = WIDE, scheme = "light", before } = {}) {
    // A window for each: tabs behind another are drawn once a second, and clicks wait for that.
    const context = await this.browser.newContext({ viewport, colorScheme: scheme, reducedMotion: "reduce" });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    if (before) await page.addInitScript(before);
    const person = new Person(page, this);
    this.people.push(person);
    await page.goto(this.url);
    return person;
  }

  /** People who have entered, and who know each other. */
  async enter(...names) {
    const people = [];
    for (const name of names) {
      const person = await this.open();
      await person.enter(name);
      people.push(person);
    }
    for (const person of people) await person.sees(`People here (${names.length})`);
    return people;
  }

  /** What holds for every window of every test. */
  check() {
    for (const { name, problems, foreign } of this.people) {
      assert.deepEqual(problems, [], `problems in the window of ${name}`);
      assert.deepEqual(foreign, [], `requests of ${name} to foreign hosts`);
    }
  }
}

/** Declares a test that has a server and a browser of its own. */
export function onPage(name, body, options = OPTIONS) {
  test(name, { timeout: 120_000 }, async () => {
    assert.ok(existsSync(CHROMIUM), `there is no ${CHROMIUM}: install Debian's package chromium, or set CHROMIUM_BIN`);
    const server = await start(options);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
    const world = new World(server, browser);
    try {
      await body(world);
      world.check();
    } finally {
      await browser.close();
      await world.server.stop();
    }
  });
}
