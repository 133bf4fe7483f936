// Official clients for the tests: they end with their test, and each test has its own server.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Manager, io } from "socket.io-client";

import { start } from "./server.mjs";

/** Long enough for a busy machine; nothing waits this long unless it fails. */
export const PATIENCE_MS = 10_000;

/** Resolves with the arguments of the next `event`, or rejects: it never hangs. */
export async function next(emitter, event, ms = PATIENCE_MS) {
  const timer = AbortSignal.timeout(ms);
  try {
    return await once(emitter, event, { signal: timer });
  } catch (error) {
    if (timer.aborted) throw new Error(`no \`${event}\` within ${ms} ms`);
    throw error;
  }
}

/** Waits until `holds` does. */
export async function until(holds, what, ms = PATIENCE_MS) {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What a test works with: a server with these options, and clients that end with the test. */
class World {
  constructor(server) {
    this.server = server;
    this.clients = [];
    this.servers = [server];
  }

  get url() { return this.server.url; }

  /** A client that may not be connected yet. It writes down each event in `heard`. */
  client(nsp = "/", options = {}) {
    const socket = io(this.url + nsp, { forceNew: true, reconnection: false, ...options });
    return this.watch(socket);
  }

  watch(socket) {
    socket.heard = [];
    socket.onAny((...event) => {
      if (typeof event.at(-1) === "function") event.pop();
      socket.heard.push(event);
    });
    this.clients.push(socket);
    return socket;
  }

  /** A client that is connected. */
  async connected(nsp, options) {
    const socket = this.client(nsp, options);
    await connects(socket);
    return socket;
  }

  /** Connected clients by name. */
  async people(names, nsp, options) {
    const sockets = await Promise.all(names.map(() => this.connected(nsp, options)));
    return Object.fromEntries(names.map((name, i) => [name, sockets[i]]));
  }

  /** One connection for several namespaces. */
  manager(options = {}) {
    const manager = new Manager(this.url, { reconnection: false, ...options });
    this.clients.push({ disconnect: () => manager._close() });
    return manager;
  }

  /** Another server where the first one was. */
  async restart(options) {
    this.server = await start(options, this.server.port);
    this.servers.push(this.server);
  }

  async end() {
    for (const client of this.clients) client.disconnect();
    for (const server of this.servers) await server.stop();
  }
}

/** Declares a test that has a server of its own. */
export function served(name, options, body) {
  test(name, { timeout: 60_000 }, async () => {
    const world = new World(await start(options));
    try {
      await body(world);
    } finally {
      await world.end();
    }
  });
}

/** Resolves once the socket is connected; a refusal is an error. */
export async function connects(socket) {
  if (socket.connected) return;
  const refused = next(socket, "connect_error").then(([error]) => { throw error; });
  refused.catch(() => {});
  await Promise.race([next(socket, "connect"), refused]);
}

/** Resolves with the error of a refusal. */
export async function refusal(socket) {
  const connected = next(socket, "connect").then(() => assert.fail("let in"));
  connected.catch(() => {});
  const [error] = await Promise.race([next(socket, "connect_error"), connected]);
  return error;
}

/** Carries out a request of the contract, and resolves with what follows the `"ok"`. */
export async function ok(socket, ...request) {
  const answer = await raw(socket, ...request);
  assert.equal(answer[0], "ok", `${request[0]}: ${JSON.stringify(answer)}`);
  return answer.slice(1);
}

/** Carries out a request, and resolves with its whole answer. */
export function raw(socket, ...request) {
  return new Promise((resolve, reject) => {
    socket.timeout(PATIENCE_MS).emit(...request, (error, ...answer) => (error ? reject(error) : resolve(answer)));
  });
}

/**
 * An acked round trip on each connection: what was sent to it before has arrived by now. The fence
 * of a socket holds for its own connection only, hence one for each.
 */
export async function fence(...sockets) {
  await Promise.all(sockets.map((socket) => ok(socket, "echo", "fence")));
}

/** Checks that exactly `hearers` of `sockets` have heard `event`, once each, and nobody else. */
export async function heardOnlyBy(hearers, sockets, event) {
  await fence(...Object.values(sockets));
  const heard = Object.entries(sockets).map(([name, socket]) => [name, socket.heard.filter(([other]) => other === event).length]);
  const expected = Object.keys(sockets).map((name) => [name, hearers.includes(name) ? 1 : 0]);
  assert.deepEqual(heard, expected);
}
