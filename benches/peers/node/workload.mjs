// The workload W(S), the same bits as ../../workload.rs.
const LARGE = 16;
const HUGE = 4;
const SMALL_EACH = 8;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

class Rng {
  constructor(seed) {
    this.state = seed | 0;
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    const a = this.state;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(bound) {
    return this.next() % bound;
  }
}

function sidOf(rng) {
  // One flat string: built by concatenation, its first use as a key would flatten it.
  const bytes = Buffer.alloc(20);
  for (let i = 0; i < 20; i++) bytes[i] = ALPHABET.charCodeAt(rng.next() & 63);
  return bytes.toString("latin1");
}

const times = (count, make) => Array.from({ length: count }, (_, at) => make(at));

function memberships(sockets, small) {
  const rng = new Rng(12345);
  return times(sockets, () => {
    const rooms = [];
    while (rooms.length < SMALL_EACH) {
      const room = rng.below(small);
      if (!rooms.includes(room)) rooms.push(room);
    }
    const hot = rng.below(20) === 0;
    for (let large = 0; large < LARGE; large++) {
      const drawn = rng.below(5) === 0;
      if (hot && drawn) rooms.push(small + large);
    }
    for (let huge = 0; huge < HUGE; huge++) {
      if (rng.below(10) === 0) rooms.push(small + LARGE + huge);
    }
    return rooms;
  });
}

function casesOf(sockets, small, member) {
  const rng = new Rng(4242);
  const own = small + LARGE + HUGE;
  const to = (rooms) => ({ rooms, except: [] });
  const drawn = (count) => times(count, () => rng.below(small));
  const large = (from, start, end) => times(end - start, (k) => small + ((from + start + k) % LARGE));
  const room80 = times(1024, () => to(drawn(1)));
  const ten80 = times(1024, () => to(drawn(10)));
  const ten80Except = times(1024, () => {
    const rooms = drawn(10);
    return { rooms, except: drawn(3) };
  });
  const one = times(4096, () => to([own + rng.below(sockets)]));
  const chat = times(1024, () => {
    const sender = rng.below(sockets);
    return { rooms: [member[sender][rng.below(8)]], except: [own + sender] };
  });
  return [
    { name: "all", ops: [to([])] },
    { name: "room 1 %", ops: times(LARGE, (at) => to([small + at])) },
    { name: "room80", ops: room80 },
    { name: "10 rooms of 1 %", ops: times(LARGE, (from) => to(large(from, 0, 10))) },
    { name: "10 rooms of 80", ops: ten80 },
    { name: "all − 10 %", ops: times(HUGE, (at) => ({ rooms: [], except: [small + LARGE + at] })) },
    { name: "10 − 3 of 1 %", ops: times(LARGE, (from) => ({ rooms: large(from, 0, 10), except: large(from, 10, 13) })) },
    { name: "10 − 3 of 80", ops: ten80Except },
    { name: "one", ops: one },
    { name: "chat80", ops: chat },
  ];
}

function changesOf(sockets, small, member) {
  const count = Math.min(sockets, 100000);
  const rng = new Rng(999);
  const joins = [];
  const seen = new Set();
  while (joins.length < count) {
    const socket = rng.below(sockets);
    const room = rng.below(small);
    const key = socket * small + room;
    if (!member[socket].includes(room) && !seen.has(key)) {
      seen.add(key);
      joins.push([socket, room]);
    }
  }
  const churn = [];
  const gone = new Uint8Array(sockets);
  const sids = new Rng(31337);
  while (churn.length < Math.floor(count / 2)) {
    const socket = rng.below(sockets);
    if (gone[socket]) continue;
    gone[socket] = 1;
    const rooms = [];
    while (rooms.length < SMALL_EACH) {
      const room = rng.below(small);
      if (!rooms.includes(room)) rooms.push(room);
    }
    churn.push({ socket, rooms, sid: sidOf(sids) });
  }
  return { joins, churn };
}

export function workload(sockets) {
  const small = Math.max(Math.floor(sockets / 10), 10);
  const member = memberships(sockets, small);
  const sidRng = new Rng(777);
  const sids = times(sockets, () => sidOf(sidRng));
  const cases = casesOf(sockets, small, member);
  const { joins, churn } = changesOf(sockets, small, member);
  const own = small + LARGE + HUGE;
  const names = times(own, (room) =>
    room < small ? "r" + room : room < small + LARGE ? "L" + (room - small) : "T" + (room - small - LARGE),
  );
  const name = (room) => (room < own ? names[room] : sids[room - own]);
  return { sockets, sids, member, cases, joins, churn, name };
}
