"""The chat contract (CONTRACT.md) on python-socketio, served by uvicorn."""

import asyncio
import json
import os
import re
import socket
import sys
from importlib.metadata import version

import socketio
import uvicorn

OPTIONS = json.loads(os.environ.get("OVERHEARD_SERVER") or "{}")
NAMESPACES = {"/": {}} | OPTIONS.get("namespaces", {})
DYNAMIC = [re.compile(pattern) for pattern in OPTIONS.get("dynamic", [])]
RESERVED = {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}


def cannot(option):
    print(f"cannot: {option}", file=sys.stderr)
    sys.exit(78)


def server_options():
    """Options as the library calls them; it counts in seconds."""
    options = {"namespaces": "*" if DYNAMIC else list(NAMESPACES)}
    for name, value in OPTIONS.items():
        if name in ("ping-interval", "ping-timeout"):
            options[name.replace("-", "_")] = value / 1000
        elif name in ("max-http-buffer-size", "transports", "allow-upgrades"):
            options[name.replace("-", "_")] = value
        elif name not in ("namespaces", "dynamic") and (name, value) != ("recovery", None):
            cannot(name)
    for name in {member for gate in NAMESPACES.values() for member in gate}:
        name in ("token", "seats", "auth-delay") or cannot(name)
    return options


sio = socketio.AsyncServer(async_mode="asgi", **server_options())
seated = {}  # sids by namespace


class BadRequest(Exception):
    """What is answered behind "error"."""


def check(condition, message="bad arguments"):
    if not condition:
        raise BadRequest(message)


def rooms(value):
    """One room, or a list of rooms."""
    names = [value] if isinstance(value, str) else value
    check(isinstance(names, list) and all(isinstance(name, str) for name in names))
    return names


def read(given):
    """The options of a request, with defaults."""
    check(isinstance(given, dict))
    lists = {"to": [], "except": [], "join": [], "leave": []}
    flags = {"volatile": False, "local": False, "compress": True, "close": False}
    options = {"from": "socket", "event": None, "args": [], "timeout": 5000, "id": None} | lists | flags | given
    check(all(isinstance(options[name], bool) for name in flags))
    check(options["from"] in ("socket", "namespace") and isinstance(options["args"], list))
    check(options["timeout"] is None or type(options["timeout"]) is int and options["timeout"] >= 0)
    return options | {name: rooms(options[name]) for name in lists}


def message(options):
    check(isinstance(options["event"], str) and options["event"] not in RESERVED, "bad event name")
    return options["event"], tuple(options["args"])


def skipped(nsp, sid, options):
    """The library excepts sockets, and not rooms."""
    members = sio.manager.get_participants(nsp, options["except"]) if options["except"] else ()
    return [other for other, _ in members] + ([sid] if options["from"] == "socket" else [])


def select(nsp, sid, options):
    """Ids of the sockets that the options mean, and of their connections."""
    members = dict(sio.manager.get_participants(nsp, options["to"] or None))
    return {other: members[other] for other in members.keys() - set(skipped(nsp, sid, options))}


async def call(nsp, sid, options):
    """Asks one socket; the answer is unpacked by the library."""
    timeout = None if options["timeout"] is None else options["timeout"] / 1000
    answer = await sio.call(*message(options), to=sid, namespace=nsp, timeout=timeout)
    return answer if isinstance(answer, tuple) else () if answer is None else (answer,)


async def emit(nsp, sid, options):
    skip = skipped(nsp, sid, options)
    await sio.emit(*message(options), to=options["to"] or None, skip_sid=skip, namespace=nsp)


async def ask(nsp, sid, options):
    calls = [call(nsp, other, options) for other in select(nsp, sid, options)]
    answers, word = [], "ok"
    for answered in asyncio.as_completed(calls):
        try:
            answers.append(next(iter(await answered), None))
        except socketio.exceptions.TimeoutError:
            word = "timeout"
    return word, answers


async def tell(nsp, sid, options):
    check(isinstance(options["id"], str))
    check(sio.manager.is_connected(options["id"], nsp), "no such socket")
    try:
        return "ok", *await call(nsp, options["id"], options)
    except socketio.exceptions.TimeoutError:
        return ("timeout",)


async def carry_out(event, nsp, sid, args):
    """Carries a request out, and returns its answer."""
    first, second = (*args, None, None)[:2]
    options = lambda: read(args[0] if args else {})
    match event:
        case "join":
            for room in rooms(first):
                await sio.enter_room(sid, room, namespace=nsp)
        case "leave":
            check(isinstance(first, str))
            await sio.leave_room(sid, first, namespace=nsp)
        case "rooms":
            return "ok", sio.rooms(sid, namespace=nsp)
        case "chat":
            check(args)
            given = read(second if isinstance(second, dict) else {})
            words = {"event": "chat", "args": [first, {"from": sid}], "to": given["to"] or ["lobby"]}
            await emit(nsp, sid, given | words)
        case "broadcast":
            await emit(nsp, sid, options())
        case "ask":
            return message(options()) and await ask(nsp, sid, options())
        case "tell":
            return message(options()) and await tell(nsp, sid, options())
        case "who":
            return "ok", list(select(nsp, sid, options()))
        case "move":
            for other in select(nsp, sid, options()):
                for room in options()["leave"]:
                    await sio.leave_room(other, room, namespace=nsp)
                for room in options()["join"]:
                    await sio.enter_room(other, room, namespace=nsp)
        case "kick":
            for other, connection in select(nsp, sid, options()).items():
                await (sio.eio.disconnect(connection) if options()["close"] else sio.disconnect(other, nsp))
        case "set":
            check(isinstance(first, str) and len(args) > 1)
            async with sio.session(sid, namespace=nsp) as data:
                data[first] = second
        case "get":
            return "ok", await sio.get_session(sid, namespace=nsp)
        case "echo":
            return "ok", *args
        case "about":
            return "ok", {"contract": 1, "server": f"python-socketio {version('python-socketio')}", "options": OPTIONS}
        case _:
            check(False, "unknown event")
    return ("ok",)


@sio.on("*", namespace="*")
async def answer(event, nsp, sid, *args):
    try:
        return await carry_out(event, nsp, sid, args)
    except BadRequest as error:
        return "error", str(error)


@sio.on("connect", namespace="*")
async def welcome(nsp, sid, environ, auth):
    if nsp not in NAMESPACES and not any(pattern.search(nsp) for pattern in DYNAMIC):
        raise socketio.exceptions.ConnectionRefusedError("Invalid namespace")
    gate, seats = NAMESPACES.get(nsp, {}), seated.setdefault(nsp, set())
    await asyncio.sleep(gate.get("auth-delay", 0) / 1000)
    if "token" in gate and gate["token"] != (auth if isinstance(auth, dict) else {}).get("token"):
        raise socketio.exceptions.ConnectionRefusedError("not authorized", {"code": "unauthorized"})
    if len(seats) >= gate.get("seats", sys.maxsize):
        raise socketio.exceptions.ConnectionRefusedError("namespace is full")
    seats.add(sid)
    if nsp == "/":
        await sio.enter_room(sid, "lobby", namespace=nsp)


@sio.on("disconnect", namespace="*")
async def farewell(nsp, sid, reason):
    seated[nsp].discard(sid)


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT") or 0)))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(socketio.ASGIApp(sio), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
