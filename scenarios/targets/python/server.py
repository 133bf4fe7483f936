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
from socketio.exceptions import ConnectionRefusedError, TimeoutError

OPTIONS = json.loads(os.environ.get("OVERHEARD_SERVER") or "{}")
NAMESPACES = {"/": {}} | OPTIONS.get("namespaces", {})
DYNAMIC = [re.compile(pattern) for pattern in OPTIONS.get("dynamic", [])]
RESERVED = {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
TIMES = {"ping-interval", "ping-timeout"}  # in seconds to the library
PLAIN = {"max-http-buffer-size", "transports", "allow-upgrades"}


def server_options():
    members = {member for gate in NAMESPACES.values() for member in gate}
    wanted = {name for name, value in OPTIONS.items() if (name, value) != ("recovery", None)}
    unknown = wanted - TIMES - PLAIN - {"namespaces", "dynamic"} | members - {"token", "seats"}
    if unknown:
        print(f"cannot: {min(unknown)}", file=sys.stderr)
        sys.exit(78)
    options = {name: OPTIONS[name] / 1000 if name in TIMES else OPTIONS[name] for name in wanted & (TIMES | PLAIN)}
    options["namespaces"] = "*" if DYNAMIC else list(NAMESPACES)
    return {name.replace("-", "_"): value for name, value in options.items()}


sio = socketio.AsyncServer(async_mode="asgi", **server_options())
seated = {}  # ids of sockets, by namespace


def check(condition, message="bad arguments"):
    if not condition:
        raise ValueError(message)


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
    options = {"from": "socket", "args": [], "timeout": 5000} | lists | flags | given
    check(all(isinstance(options[name], bool) for name in flags))
    check(options["from"] in ("socket", "namespace") and isinstance(options["args"], list))
    check(options["timeout"] is None or type(options["timeout"]) is int and options["timeout"] >= 0)
    return options | {name: rooms(options[name]) for name in lists}


def message(options):
    event = options.get("event")
    check(isinstance(event, str) and event not in RESERVED, "bad event name")
    return event, tuple(options["args"])


def skipped(nsp, sid, options):
    """The library excepts sockets, and not rooms."""
    members = sio.manager.get_participants(nsp, options["except"]) if options["except"] else ()
    return [other for other, _ in members] + ([sid] if options["from"] == "socket" else [])


def select(nsp, sid, options):
    """The sockets that the options mean, with their connections."""
    members = dict(sio.manager.get_participants(nsp, options["to"] or None))
    return {other: members[other] for other in members.keys() - set(skipped(nsp, sid, options))}


async def emit(nsp, sid, options):
    skip = skipped(nsp, sid, options)
    await sio.emit(*message(options), to=options["to"] or None, skip_sid=skip, namespace=nsp)


async def call(nsp, sid, options):
    """Asks one socket; the library gives a single value back as it is."""
    timeout = None if options["timeout"] is None else options["timeout"] / 1000
    answer = await sio.call(*message(options), to=sid, namespace=nsp, timeout=timeout)
    return answer if isinstance(answer, tuple) else () if answer is None else (answer,)


async def ask(nsp, sid, options):
    word, answers = "ok", []
    for answer in asyncio.as_completed([call(nsp, other, options) for other in select(nsp, sid, options)]):
        try:
            answers.append(next(iter(await answer), None))
        except TimeoutError:
            word = "timeout"
    return word, answers


async def carry_out(event, nsp, sid, args):
    """Carries a request out; returns its answer, if that is more than "ok"."""
    first, second = (*args, None, None)[:2]
    if event == "chat":
        check(args)
        options = read(second if isinstance(second, dict) else {})
        chat = {"event": "chat", "args": [first, {"from": sid}], "to": options["to"] or ["lobby"]}
        return await emit(nsp, sid, options | chat)
    if event in ("broadcast", "ask", "tell", "who", "move", "kick"):
        options = read(first if args else {})
    if event in ("broadcast", "ask", "tell"):
        message(options)
    match event:
        case "join":
            for room in rooms(first):
                await sio.enter_room(sid, room, namespace=nsp)
        case "leave":
            check(isinstance(first, str))
            await sio.leave_room(sid, first, namespace=nsp)
        case "rooms":
            return "ok", sio.rooms(sid, namespace=nsp)
        case "broadcast":
            await emit(nsp, sid, options)
        case "ask":
            return await ask(nsp, sid, options)
        case "tell":
            check(isinstance(options.get("id"), str))
            check(sio.manager.is_connected(options["id"], nsp), "no such socket")
            return "ok", *await call(nsp, options["id"], options)
        case "who":
            return "ok", list(select(nsp, sid, options))
        case "move":
            for other in select(nsp, sid, options):
                for room in options["leave"]:
                    await sio.leave_room(other, room, namespace=nsp)
                for room in options["join"]:
                    await sio.enter_room(other, room, namespace=nsp)
        case "kick":
            for other, connection in select(nsp, sid, options).items():
                await (sio.eio.disconnect(connection) if options["close"] else sio.disconnect(other, nsp))
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


@sio.on("*", namespace="*")
async def answer(event, nsp, sid, *args):
    try:
        return await carry_out(event, nsp, sid, args) or ("ok",)
    except ValueError as error:
        return "error", str(error)
    except TimeoutError:
        return ("timeout",)


@sio.on("connect", namespace="*")
async def welcome(nsp, sid, environ, auth):
    gate, seats = NAMESPACES.get(nsp), seated.setdefault(nsp, set())
    if gate is None and not any(pattern.search(nsp) for pattern in DYNAMIC):
        raise ConnectionRefusedError("Invalid namespace")
    gate, token = gate or {}, auth.get("token") if isinstance(auth, dict) else None
    if "token" in gate and token != gate["token"]:
        raise ConnectionRefusedError("not authorized", {"code": "unauthorized"})
    if len(seats) >= gate.get("seats", sys.maxsize):
        raise ConnectionRefusedError("namespace is full")
    seats.add(sid)
    if nsp == "/":
        await sio.enter_room(sid, "lobby", namespace=nsp)


@sio.on("disconnect", namespace="*")
async def farewell(nsp, sid, reason):
    seated[nsp].discard(sid)


listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT") or 0)))
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(socketio.ASGIApp(sio), log_level="warning", timeout_graceful_shutdown=1)
uvicorn.Server(config).run(sockets=[listener])
