"""The chat contract (CONTRACT.md) on python-socketio, served by uvicorn."""

import asyncio
import json
import os
import re
import socket
import sys
from importlib.metadata import version
from itertools import product

import socketio
import uvicorn
from socketio.exceptions import ConnectionRefusedError, TimeoutError

OPTIONS = json.loads(os.environ.get("OVERHEARD_SERVER") or "{}")
NAMESPACES = {"/": {}} | OPTIONS.get("namespaces", {})
DYNAMIC = [re.compile(pattern) for pattern in OPTIONS.get("dynamic", [])]
TIMES = {"ping-interval", "ping-timeout"}  # in seconds to the library
PLAIN = {"max-http-buffer-size", "transports", "allow-upgrades"}
SELECTING = ("broadcast", "ask", "tell", "who", "move", "kick")  # requests with options
RESERVED = ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
LISTS = {"to": [], "except": [], "join": [], "leave": []}
FLAGS = {"volatile": False, "local": False, "compress": True, "close": False}
DEFAULTS = {"from": "socket", "event": None, "args": [], "timeout": 5000} | LISTS | FLAGS

wanted = {name for name, value in OPTIONS.items() if (name, value) != ("recovery", None)}
unknown = wanted - TIMES - PLAIN - {"namespaces", "dynamic"} | set().union(*NAMESPACES.values()) - {"token", "seats"}
if unknown:
    print(f"cannot: {min(unknown)}", file=sys.stderr)
    sys.exit(78)
options = {name: OPTIONS[name] / 1000 if name in TIMES else OPTIONS[name] for name in wanted & (TIMES | PLAIN)}
options = {name.replace("-", "_"): value for name, value in options.items()}
sio = socketio.AsyncServer(async_mode="asgi", namespaces="*" if DYNAMIC else list(NAMESPACES), **options)


def rooms(value):
    """One room, or a list of rooms."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("bad arguments")
    return names


def read(nsp, sid, given={}, *_):
    """The options of a request, with defaults, and the sockets that they mean and skip (never rooms)."""
    options = DEFAULTS | (given if isinstance(given, dict) else {"from": None})
    options |= {name: rooms(options[name]) for name in LISTS}
    is_sound = options["from"] in ("socket", "namespace") and isinstance(options["args"], list)
    is_timely = options["timeout"] is None or type(options["timeout"]) is int and options["timeout"] >= 0
    if not is_sound or not is_timely or not all(isinstance(options[name], bool) for name in FLAGS):
        raise ValueError("bad arguments")
    excepted = sio.manager.get_participants(nsp, options["except"]) if options["except"] else ()
    skip = [other for other, _ in excepted] + [sid] * (options["from"] == "socket")
    members = sio.manager.get_participants(nsp, options["to"] or None)
    return options | {"skip": skip, "sockets": [other for other, _ in members if other not in skip]}


async def call(nsp, sid, options):
    """What one socket answers, None if it is late; the library gives a single value back as it is."""
    event, args, timeout = options["event"], tuple(options["args"]), options["timeout"]
    try:
        answer = await sio.call(event, args, to=sid, namespace=nsp, timeout=timeout and timeout / 1000)
        return answer if isinstance(answer, tuple) else () if answer is None else (answer,)
    except TimeoutError:
        return None


async def carry_out(request, nsp, sid, args):
    """Carries a request out; returns its answer, if that is more than "ok"."""
    match request, *([read(nsp, sid, *args)] if request in SELECTING else args):
        case "join", names, *_:
            for room in rooms(names):
                await sio.enter_room(sid, room, namespace=nsp)
        case "leave", str(room), *_:
            await sio.leave_room(sid, room, namespace=nsp)
        case "rooms", *_:
            return "ok", sio.rooms(sid, namespace=nsp)
        case "chat", text, *rest:
            options = rest[0] if rest and isinstance(rest[0], dict) else {}
            to = {"to": "lobby"} if options.get("to", []) == [] else {}
            chat = {"event": "chat", "args": [text, {"from": sid}]}
            await carry_out("broadcast", nsp, sid, [options | to | chat])
        case "broadcast" | "ask" | "tell", {"event": event} if not isinstance(event, str) or event in RESERVED:
            raise ValueError("bad event name")
        case "broadcast", {"event": event, "args": args, "to": to, "skip": skip}:
            await sio.emit(event, tuple(args), to=to or None, skip_sid=skip, namespace=nsp)
        case "ask", {"sockets": sockets} as options:
            calls = asyncio.as_completed([call(nsp, other, options) for other in sockets])
            all_answers = [await answer for answer in calls]
            answers = [next(iter(answer), None) for answer in all_answers if answer is not None]
            return "timeout" if None in all_answers else "ok", answers
        case "tell", {"id": str(other)} as options:
            if not sio.manager.is_connected(other, nsp):
                raise ValueError("no such socket")
            got = await call(nsp, other, options)
            return ("timeout",) if got is None else ("ok", *got)
        case "who", {"sockets": sockets}:
            return "ok", sockets
        case "move", {"sockets": sockets, "join": join, "leave": leave}:
            for other, room in product(sockets, leave):
                await sio.leave_room(other, room, namespace=nsp)
            for other, room in product(read(nsp, sid, *args)["sockets"], join):
                await sio.enter_room(other, room, namespace=nsp)
        case "kick", {"close": True}:
            raise ValueError("not supported")
        case "kick", {"sockets": sockets}:
            for other in sockets:
                await sio.disconnect(other, nsp)
        case "set", str(key), value, *_:
            async with sio.session(sid, namespace=nsp) as data:
                data[key] = value
        case "get", *_:
            return "ok", await sio.get_session(sid, namespace=nsp)
        case "echo", *_:
            return "ok", *args
        case "about", *_:
            return "ok", {"contract": 1, "server": f"python-socketio {version('python-socketio')}", "options": OPTIONS}
        case ("join" | "leave" | "chat" | "tell" | "set"), *_:
            raise ValueError("bad arguments")
        case _:
            raise ValueError("unknown event")


@sio.on("*", namespace="*")
async def answer(request, nsp, sid, *args):
    try:
        return await carry_out(request, nsp, sid, args) or ("ok",)
    except ValueError as error:
        return "error", str(error)


@sio.on("connect", namespace="*")
async def welcome(nsp, sid, environ, auth):
    if nsp not in NAMESPACES and not any(pattern.search(nsp) for pattern in DYNAMIC):
        raise ConnectionRefusedError("Invalid namespace")
    gate, token = NAMESPACES.get(nsp, {}), auth.get("token") if isinstance(auth, dict) else None
    if "token" in gate and token != gate["token"]:
        raise ConnectionRefusedError("not authorized", {"code": "unauthorized"})
    if len(dict(sio.manager.get_participants(nsp, None))) > gate.get("seats", sys.maxsize):  # with who asks
        raise ConnectionRefusedError("namespace is full")
    if nsp == "/":
        await sio.enter_room(sid, "lobby", namespace=nsp)


listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT") or 0)))
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(socketio.ASGIApp(sio), log_level="warning", timeout_graceful_shutdown=1)
uvicorn.Server(config).run(sockets=[listener])
