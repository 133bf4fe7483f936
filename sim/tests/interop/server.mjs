// Starts the server under test, with options of the chat contract, and stops it.
//
// `OVERHEARD_BIN` is the binary whose `serve` is tested. `TARGET_COMMAND` is a shell command that
// starts another server of the chat contract instead: a test that fails there too is a wrong test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const START_MS = 15_000;
const STOP_MS = 10_000;

const command = process.env.TARGET_COMMAND;
const binary = process.env.OVERHEARD_BIN;

/** Whether the server under test is our own: it has a page, and limits that others have not. */
export const isOurs = command === undefined;

function run(port, options) {
  const env = { ...process.env, PORT: String(port), OVERHEARD_SERVER: JSON.stringify(options) };
  const stdio = ["ignore", "pipe", "pipe"];
  if (!isOurs) return spawn(`exec ${command}`, { shell: true, env, stdio });
  if (!binary) throw new Error("set OVERHEARD_BIN to the binary `overheard` (cargo build --release -p overheard)");
  return spawn(binary, ["serve", "--listen", `127.0.0.1:${port}`], { env, stdio });
}

/** Starts a server; `port` 0 is a free one. Whatever it says is part of the error if it fails. */
export async function start(options = {}, port = 0) {
  const child = run(port, options);
  const said = [];
  const keep = (chunk) => said.push(String(chunk));
  child.stderr.on("data", keep);
  child.stdout.on("data", keep);
  const exited = once(child, "exit");
  const listening = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = /^listening on (http:\/\/\S+?)\/?$/.exec(line);
      if (found) resolve(found[1]);
    });
  });
  const late = new Promise((resolve) => setTimeout(resolve, START_MS).unref());
  const url = await Promise.race([listening, exited.then(() => null), late.then(() => null)]);
  if (url === null) {
    child.kill("SIGKILL");
    throw new Error(`the server does not listen:\n${said.join("")}`);
  }
  const end = async (signal) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    const [code, by] = await exited;
    clearTimeout(killer);
    return { code, signal: by };
  };
  return {
    url,
    port: Number(new URL(url).port),
    /** What it has printed, both streams. */
    get output() { return said.join(""); },
    /** Asks it to end, and says how it did. */
    stop: () => end("SIGTERM"),
    /** Lets it do nothing, without ending it. */
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    /** Ends it without a word. */
    kill: () => end("SIGKILL"),
  };
}
