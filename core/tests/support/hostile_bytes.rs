//! What a hostile client may send: one list per class of bytes, after what has felled servers.

use overheard_core::engine::Method;
use overheard_core::wire::Frame;

/// The largest body and WebSocket message of the attacked server.
pub(crate) const LIMIT: usize = 4_096;

/// Frames that arrive together. As a request body they are packets of one payload.
pub(crate) type Burst = Vec<Frame>;

fn text(text: impl Into<String>) -> Frame {
    Frame::text(text.into())
}

fn binary(size: usize) -> Frame {
    Frame::Binary(vec![7; size].into())
}

fn bursts<const N: usize>(texts: [&str; N]) -> Vec<Burst> {
    texts.into_iter().map(|packet| vec![text(packet)]).collect()
}

/// Names that mean something to JavaScript, to the protocol, or to nobody.
const NAMES: [&str; 12] = [
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "",
    "\\u0000",
    "error",
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Such a name in every place of a packet where a name stands.
pub(crate) fn names() -> Vec<Burst> {
    let in_all_places = |name: &str| {
        [
            format!(r#"42["{name}"]"#),
            format!(r#"420["{name}",{{"{name}":["{name}"]}}]"#),
            format!(r#"42["join","{name}"]"#),
            format!(r#"40{{"{name}":{{"{name}":1}}}}"#),
            format!("40/{name},"),
            format!(r#"40/{name},{{"token":1}}"#),
            format!(r#"42/{name},["x"]"#),
            format!("41/{name},"),
            format!(r#"451-["{name}",{{"_placeholder":"{name}","num":0}}]"#),
        ]
    };
    NAMES.into_iter().flat_map(in_all_places).map(|packet| vec![text(packet)]).collect()
}

/// Packets whose payload is none for their type, and types that do not exist.
pub(crate) fn payloads() -> Vec<Burst> {
    bursts([
        "42[]",
        "42[null]",
        "42[1]",
        "42[-0]",
        "42[1e400]",
        "42[{}]",
        "42[[]]",
        "42[true]",
        "42{}",
        "42\"x\"",
        "42null",
        "42",
        "42[",
        "42[\"x\"",
        "42[\"x\"]]",
        "42 [\"x\"]",
        "420",
        "43",
        "430",
        "430{}",
        "430[]",
        "43[\"x\"]",
        "4399999999999999999999[]",
        "41[]",
        "41{}",
        "44",
        "44{\"message\":\"x\"}",
        "45",
        "46",
        "47",
        "48",
        "4-1",
        "4x",
        "4",
        "4 ",
        "40[]",
        "40\"x\"",
        "40null",
        "40{",
        "40{}{}",
        "40/",
        "40,",
        "40/b",
        "40/b,{",
        "40/b{}",
        "40//b,",
        "40/b?x=1,",
        "40/b,,",
        "40b,",
        "400",
        "401{}",
        "42/b",
        "42/b,",
        "42-1[\"x\"]",
        "42+1[\"x\"]",
        "421.5[\"x\"]",
        "421e3[\"x\"]",
        "42\u{feff}[\"x\"]",
    ])
}

/// Binary packets that announce something else than what follows.
pub(crate) fn attachments() -> Vec<Burst> {
    let mut all = bursts([
        "450-[\"x\"]",
        "451[\"x\"]",
        "45-[\"x\"]",
        "45--1[\"x\"]",
        "459999999999-[\"x\"]",
        "4511-[\"x\"]",
        "45a-[\"x\"]",
        "451-",
        "451-x",
        "460-0[]",
        "461-[]",
        "451-/b,[\"x\"]",
        "451-[\"x\"]",
        "4510-[\"x\"]",
        "452-[\"x\",{\"_placeholder\":true,\"num\":0}]",
    ]);
    for num in ["\"0\"", "-1", "1", "1e3", "null", "0.5", "{}", "9007199254740993"] {
        let header = format!(r#"451-["x",{{"_placeholder":true,"num":{num}}}]"#);
        all.push(vec![text(header), binary(3)]);
    }
    let place = r#"{"_placeholder":true,"num":0}"#;
    let header = format!(r#"451-["x",{place}]"#);
    let repeated = text(format!(r#"451-["x",{place},{place}]"#));
    let ack = text(format!("461-0[{place}]"));
    let header = || text(header.clone());
    all.extend([
        vec![header(), binary(0)],
        vec![header(), binary(3), binary(3)],
        vec![header(), text(r#"42["x"]"#)],
        vec![header(), text("41")],
        vec![header(), header()],
        vec![header(), text("bAQID")],
        vec![header(), text("b")],
        vec![header(), text("b!!")],
        vec![repeated, binary(1)],
        vec![ack, binary(1)],
        vec![binary(0)],
        vec![binary(5)],
        vec![binary(1), text("40")],
    ]);
    all
}

/// Fields that are as long as they can be, and depths.
pub(crate) fn lengths() -> Vec<Burst> {
    let many = |unit: &str| unit.repeat((LIMIT - 200) / unit.len());
    let mut all: Vec<Burst> = [
        format!("42{}[\"x\"]", many("9")),
        format!("43{}[]", many("0")),
        format!("45{}-[\"x\"]", many("9")),
        format!("45{}1-[\"x\"]", many("0")),
        format!("451-{}[\"x\"]", many("1")),
        format!("42[{}]", many("9")),
        format!("42[\"x\",1e{}]", many("9")),
        format!("42[\"x\",0.{}]", many("3")),
        format!("42[\"join\",\"{}\"]", many("r")),
        format!("40/{},", many("n")),
        format!("40/dyn-{},", many("1")),
        format!("40{{\"{}\":1}}", many("k")),
        format!("42[\"x\",{}", many("[")),
        format!("42[\"x\",{}{}]", "[".repeat(1_900), "]".repeat(1_900)),
        format!("42[\"x\",{}1{}]", "{\"a\":".repeat(500), "}".repeat(500)),
        format!("42[\"x\"{}]", many(",{}")),
        format!("42[\"x\",{{{}\"z\":1}}]", many("\"a\":1,")),
        format!("42[\"{}\"]", many("\\u0000")),
        many(" "),
        format!("b{}", many("A")),
    ]
    .into_iter()
    .map(|packet| vec![text(packet)])
    .collect();
    for size in [LIMIT - 1, LIMIT, LIMIT + 1] {
        all.push(vec![text(format!("42[\"{}\"]", "x".repeat(size - 6)))]);
        all.push(vec![binary(size)]);
    }
    all
}

/// A strange character at every place of ordinary packets; each packet also cut at every place.
pub(crate) fn characters() -> Vec<Burst> {
    let mut all = Vec::new();
    for packet in [r#"40/b,{"a":1}"#, r#"421["x"]"#, r#"451-["x"]"#, "2probe", "41/b,"] {
        for at in 0..=packet.len() {
            let (before, after) = packet.split_at(at);
            all.push(vec![text(before)]);
            for strange in ["é", "𝄞", "\u{2028}", "\0", "\u{1e}"] {
                all.push(vec![text(format!("{before}{strange}{after}"))]);
            }
        }
    }
    all
}

/// Engine.IO packets out of place, and many small things at once.
pub(crate) fn packets() -> Vec<Burst> {
    let mut all = bursts([
        "",
        "0",
        "0{\"sid\":\"x\"}",
        "1",
        "1x",
        "2",
        "2probe",
        "2x",
        "3",
        "3probe",
        "5",
        "5x",
        "6",
        "6x",
        "7",
        "8",
        "9",
        "b",
        "b!",
        "bAQ==",
        "b-_",
        "\u{1e}",
        "\u{1e}\u{1e}",
        "x",
        " 40",
        "\n",
    ]);
    let repeat = |packets: &[&str], times: usize| -> Burst {
        (0..times).flat_map(|_| packets.iter().map(|packet| text(*packet))).collect()
    };
    all.extend([
        repeat(&["42[\"x\"]"], 400),
        repeat(&["42[\"join\",\"r\"]", "42[\"leave\",\"r\"]"], 50),
        repeat(&["6"], 400),
        repeat(&["3"], 400),
        repeat(&["2probe"], 100),
        repeat(&["2probe", "5"], 2),
        repeat(&["40"], 2),
        repeat(&["40/b,"], 2),
        repeat(&["40/gate,"], 2),
        repeat(&["40/no,"], 100),
        repeat(&["40/nowhere,"], 100),
        repeat(&["40/b,", "41/b,"], 50),
        repeat(&["40/dyn-1,", "41/dyn-1,"], 50),
        repeat(&["40/gate,", "41/gate,"], 2),
        repeat(&["40/no,", "42/no,[\"x\"]"], 2),
        (0..40).map(|number| text(format!("40/dyn-{number},"))).collect(),
        (0..100).map(|number| text(format!("42[\"join\",\"r{number}\"]"))).collect(),
        (0..400).map(|_| binary(0)).collect(),
        (0..100).map(|number| text(format!("43{number}[1]"))).collect(),
    ]);
    // Namespaces that were never entered, the bystander's among them.
    for nsp in ["/b", "/gate", "/no", "/quiet", "/dyn-7", "/nowhere"] {
        for packet in ["42{},[\"x\"]", "43{},0[1]", "41{},", "44{},{}", "451-{},[\"x\"]"] {
            all.push(vec![text(packet.replacen("{}", nsp, 1))]);
        }
    }
    all
}

pub(crate) fn all() -> Vec<Burst> {
    let classes = [names(), payloads(), attachments(), lengths(), characters(), packets()];
    classes.concat()
}

/// Bodies that are no text.
pub(crate) const NO_TEXT: [&[u8]; 6] =
    [b"\xff", b"4\xff", b"42[\"\xf0\x9f\"]", b"40\xc3", b"\x1e\xff\x1e", b"42[\"\xed\xa0\x80\"]"];

/// A request: method, query, headers. `SID` stands for the session of the attacker.
pub(crate) type Attempt = (Method, &'static str, &'static [(&'static str, &'static str)]);

pub(crate) const ATTEMPTS: &[Attempt] = &[
    (Method::Get, "", &[]),
    (Method::Get, "EIO=4&transport=__proto__", &[]),
    (Method::Get, "EIO=4&transport=constructor", &[]),
    (Method::Get, "EIO=__proto__&transport=polling", &[]),
    (Method::Get, "EIO=4&transport=polling&sid=__proto__", &[]),
    (Method::Get, "EIO=4&transport=polling&sid=constructor", &[]),
    (Method::Get, "EIO=4&transport=websocket&sid=__proto__", &[]),
    (Method::Get, "EIO=3&transport=polling", &[]),
    (Method::Get, "EIO=04&transport=polling", &[]),
    (Method::Get, "EIO=4&transport=polling&transport=websocket", &[]),
    (Method::Get, "EIO=4&transport=polling&sid=%00%zz%", &[]),
    (Method::Get, "EIO=4&transport=polling&b64=1&j=0", &[]),
    (Method::Get, "EIO=4&transport=polling&j=alert(1)//%E2%80%A8", &[]),
    (Method::Get, "&&&=&EIO=4&transport=polling", &[]),
    (Method::Post, "EIO=4&transport=polling", &[]),
    (Method::Other, "EIO=4&transport=polling", &[]),
    (Method::Get, "EIO=4&transport=polling", &[("origin", "http://evil\u{1}")]),
    (Method::Get, "EIO=4&transport=polling", &[("origin", "https://localhost.evil.example")]),
    (Method::Get, "EIO=4&transport=websocket", &[("origin", "null")]),
    (Method::Get, "EIO=4&transport=polling&sid=SID", &[]),
    (Method::Get, "EIO=4&transport=polling&sid=SID&j=1", &[]),
    (Method::Get, "EIO=3&transport=polling&sid=SID", &[]),
    (Method::Get, "EIO=4&transport=websocket&sid=SID", &[]),
    (Method::Other, "EIO=4&transport=polling&sid=SID", &[]),
    (Method::Post, "EIO=4&transport=polling&sid=SID", &[]),
    (Method::Post, "EIO=4&transport=polling&sid=SID&j=0", &[]),
    (
        Method::Post,
        "EIO=4&transport=polling&sid=SID",
        &[("content-type", "application/octet-stream")],
    ),
    (Method::Post, "EIO=4&transport=websocket&sid=SID", &[("content-type", "text/plain")]),
];
