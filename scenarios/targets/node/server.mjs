// The chat contract (CONTRACT.md) on the Socket.IO server for Node.js.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Server } from "socket.io";
const { version } = createRequire(import.meta.url)("socket.io/package.json");

/** Options that are the library's own, which writes them in camel case. */
const PLAIN = ["ping-interval", "ping-timeout", "connect-timeout", "upgrade-timeout", "allow-upgrades",
  "max-http-buffer-size", "transports", "cleanup-empty-child-namespaces"];

function serverOptions({ namespaces = {}, dynamic, recovery, ...plain }) {
  const gates = Object.values(namespaces).flatMap(Object.keys);
  const unknown = Object.keys(plain).find((name) => !PLAIN.includes(name))
    ?? gates.find((name) => !["token", "seats", "auth-delay"].includes(name));
  if (unknown) {
    console.error(`cannot: ${unknown}`);
    process.exit(78);
  }
  const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  const options = Object.fromEntries(Object.entries(plain).map(([name, value]) => [camel(name), value]));
  return recovery ? { ...options, connectionStateRecovery: { maxDisconnectionDuration: recovery } } : options;
}

/** What ends a request with another answer than "ok". */
const failure = (...answer) => Object.assign(new Error(answer.join(": ")), { answer });
function check(condition, message = "bad arguments") {
  if (!condition) throw failure("error", message);
}
const isText = (value) => typeof value === "string";
const isObject = (value) => value?.constructor === Object;
/** One room, or an array of rooms. */
function rooms(value) {
  check(isText(value) || (Array.isArray(value) && value.every(isText)));
  return [value].flat();
}
const LISTS = { to: [], except: [], join: [], leave: [] };
const FLAGS = { volatile: false, local: false, compress: true, close: false };
/** The options of a request, with defaults. */
function read(given = {}) {
  check(isObject(given));
  const all = { from: "socket", args: [], timeout: 5000, ...LISTS, ...FLAGS, ...given };
  for (const name in LISTS) all[name] = rooms(all[name]);
  for (const name in FLAGS) check(typeof all[name] === "boolean");
  check(["socket", "namespace"].includes(all.from) && Array.isArray(all.args));
  check(all.timeout === null || (Number.isInteger(all.timeout) && all.timeout >= 0));
  return all;
}

/** Those whom the options mean. */
function select(socket, { from, to, except, compress, volatile, local }) {
  const selected = (from === "socket" ? socket : socket.nsp).to(to).except(except).compress(compress);
  const perhaps = volatile ? selected.volatile : selected;
  return local ? perhaps.local : perhaps;
}

function emit(target, { event, args }, ...callback) {
  check(isText(event), "bad event name");
  try {
    target.emit(event, ...args, ...callback);
  } catch {
    check(false, "bad event name"); // it is reserved
  }
}

/** Emits and waits for the answers; the library's callback begins with an error. */
const ask = (target, all) => new Promise((resolve, reject) => {
  emit(target, all, (error, ...got) => (error ? reject(failure("timeout", ...got)) : resolve(got)));
});

/** What each request does, and what it answers behind "ok". */
const REQUESTS = {
  join: (socket, [list]) => socket.join(rooms(list)),
  leave: (socket, [room]) => (check(isText(room)), socket.leave(room)),
  rooms: (socket) => [[...socket.rooms]],
  chat(socket, [text, options]) {
    check(text !== undefined);
    const all = read(isObject(options) ? options : {});
    if (all.to.length === 0) all.to = ["lobby"];
    emit(select(socket, all), { event: "chat", args: [text, { from: socket.id }] });
  },
  broadcast: (socket, [options]) => emit(select(socket, read(options)), read(options)),
  ask(socket, [options]) {
    const [all, target] = [read(options), select(socket, read(options))];
    return ask(all.timeout === null ? target : target.timeout(all.timeout), all);
  },
  tell(socket, [options], isAsked) {
    const all = read(options);
    check(isText(all.id));
    const other = socket.nsp.sockets.get(all.id)?.compress(all.compress);
    check(other, "no such socket");
    const target = all.volatile ? other.volatile : other;
    if (!isAsked) return emit(target, all);
    if (all.timeout !== null) return ask(target.timeout(all.timeout), all);
    return new Promise((resolve) => emit(target, all, (...got) => resolve(got)));
  },
  who: async (socket, [options]) => [(await select(socket, read(options)).fetchSockets()).map(({ id }) => id)],
  move(socket, [options]) {
    const all = read(options);
    select(socket, all).socketsLeave(all.leave);
    select(socket, all).socketsJoin(all.join);
  },
  kick: (socket, [options]) => select(socket, read(options)).disconnectSockets(read(options).close),
  set(socket, [key, value]) {
    check(isText(key) && value !== undefined);
    socket.data = { ...socket.data, [key]: value };
  },
  get: (socket) => [socket.data],
  echo: (_, args) => args,
  about: () => [{ contract: 1, server: `socket.io ${version}`, options }],
};

async function answer(socket, request, args) {
  const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
  try {
    const values = await request(socket, args, ack !== undefined);
    ack?.("ok", ...(values ?? []));
  } catch (error) {
    if (!error.answer) throw error;
    ack?.(...error.answer);
  }
}

function welcome(socket) {
  if (socket.nsp.name === "/" && !socket.recovered) socket.join("lobby");
  for (const [event, request] of Object.entries(REQUESTS)) {
    socket.on(event, (...args) => answer(socket, request, args));
  }
  const unknown = () => check(false, "unknown event");
  socket.onAny((event, ...args) => Object.hasOwn(REQUESTS, event) || answer(socket, unknown, args));
}

function open(nsp, { token, seats = Infinity, "auth-delay": delay = 0 } = {}) {
  const refusal = Object.assign(new Error("not authorized"), { data: { code: "unauthorized" } });
  const verdict = ({ auth }) => (token === undefined || auth.token === token ? undefined : refusal);
  const later = delay > 0 ? (decide) => setTimeout(decide, delay) : (decide) => decide();
  nsp.use(({ handshake }, next) => later(() => next(verdict(handshake))));
  nsp.use((_, next) => next(nsp.sockets.size < seats ? undefined : new Error("namespace is full")));
  nsp.on("connection", welcome);
}

const options = JSON.parse(process.env.OVERHEARD_SERVER || "{}");
const server = createServer();
const io = new Server(server, serverOptions(options));
for (const [name, gate] of Object.entries({ "/": {}, ...options.namespaces })) open(io.of(name), gate);
for (const pattern of options.dynamic ?? []) open(io.of(new RegExp(pattern)));
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
