//! The codes of mistakes in scenario files, and what `overheard explain` says about them.

pub(super) const SYNTAX: &str = "OH0101";
pub(super) const UNKNOWN_CLIENT: &str = "OH0102";
pub(super) const UNKNOWN_KEY: &str = "OH0103";
pub(super) const MISSING_KEY: &str = "OH0104";
pub(super) const WRONG_TYPE: &str = "OH0105";
pub(super) const DUPLICATE_KEY: &str = "OH0106";
pub(super) const DURATION: &str = "OH0107";
pub(super) const RANGE: &str = "OH0108";
pub(super) const UNKNOWN_WORD: &str = "OH0109";
pub(super) const UNKNOWN_STEP: &str = "OH0110";
pub(super) const NOT_A_STEP: &str = "OH0111";
pub(super) const NOT_ALLOWED: &str = "OH0112";
pub(super) const BUDGET: &str = "OH0113";
pub(super) const VERSION: &str = "OH0114";
pub(super) const DUPLICATE_CLIENT: &str = "OH0115";
pub(super) const BAD_NAME: &str = "OH0116";
pub(super) const BAD_PATTERN: &str = "OH0117";
pub(super) const UNKNOWN_LABEL: &str = "OH0118";
pub(super) const DUPLICATE_LABEL: &str = "OH0119";
pub(super) const LABEL_ORDER: &str = "OH0120";
pub(super) const VACUOUS: &str = "OH0121";
pub(super) const NOT_A_FAULT: &str = "OH0122";
pub(super) const SENDS_NOTHING: &str = "OH0123";
pub(super) const CONFLICT: &str = "OH0124";
pub(super) const DEPENDS: &str = "OH0125";
pub(super) const NOT_IN_NAMESPACE: &str = "OH0126";
pub(super) const BAD_NAMESPACE: &str = "OH0127";
pub(super) const NO_SUCH_NAMESPACE: &str = "OH0128";
pub(super) const BAD_REGEX: &str = "OH0129";
pub(super) const BAD_HEX: &str = "OH0130";
pub(super) const BAD_TEMPLATE: &str = "OH0131";
pub(super) const BAD_USE: &str = "OH0132";
pub(super) const VERB_ORDER: &str = "OH0133";
pub(super) const VERB_ARGUMENT: &str = "OH0134";
pub(super) const BAD_VERB: &str = "OH0135";
pub(super) const UNKNOWN_RULE: &str = "OH0136";
pub(super) const RESERVED_EVENT: &str = "OH0137";
pub(super) const EMPTY: &str = "OH0138";
pub(super) const BAD_WINDOW: &str = "OH0139";
pub(super) const NOT_A_SCENARIO: &str = "OH0140";
pub(super) const BAD_KEY: &str = "OH0141";
pub(super) const FORMAT: &str = "OH0142";
pub(super) const UNUSED_CLIENT: &str = "OH0151";
pub(super) const UNUSED_LABEL: &str = "OH0152";
pub(super) const OCTAL: &str = "OH0153";
pub(super) const REPEATED: &str = "OH0154";
pub(super) const UNUSED_VERBS: &str = "OH0155";
pub(super) const IDLE_FAULT: &str = "OH0156";

/// Codes with their explanations.
pub(crate) const EXPLANATIONS: &[(&str, &str)] = &[
    (
        SYNTAX,
        "The file is not YAML. The place shown is where the reader could not go on; the mistake is there or
a little before it. Most common are a missing bracket or comma, a text with `: ` in it that is not
quoted, and lines of one list that do not begin in one column.",
    ),
    (
        UNKNOWN_CLIENT,
        "A step names a client that is not declared under `clients`. Where a client is meant, a name, a list
of names, `all`, or the glob of a group (`c*`, for a group named `c$n`) is accepted.",
    ),
    (
        UNKNOWN_KEY,
        "Keys that mean nothing are errors, because a misspelt key would otherwise be ignored in silence and
the scenario would test less than it says. `overheard schema scenario` lists all keys.",
    ),
    (
        MISSING_KEY,
        "A key that has no default is missing.",
    ),
    (
        WRONG_TYPE,
        r#"The value is of another kind than the key wants: a list instead of a text, a number instead of a
boolean. `yes`, `no`, `on` and `off` are texts; booleans are `true` and `false`. A text that looks
like a number or a boolean is quoted: `"5"`."#,
    ),
    (
        DUPLICATE_KEY,
        "A map has the same key twice. Which of them counts would depend on the reader.",
    ),
    (
        DURATION,
        "A duration is a number and a unit without a space, as in `250ms`, `1.5s`, `2m`, `1h`, `10us` or
`5ns`. A bare number is an error, since it could be milliseconds as well as seconds. Time is counted
in whole nanoseconds, up to 1000 days. A range is two durations: `5ms..20ms`.",
    ),
    (
        RANGE,
        "A number is outside of what makes sense for the key.",
    ),
    (
        UNKNOWN_WORD,
        "The key takes one of a few words, and this is none of them.",
    ),
    (
        UNKNOWN_STEP,
        "A step is neither built in nor a verb of the files under `use`.",
    ),
    (
        NOT_A_STEP,
        "A step is a map with exactly one key: what happens. Its options, the `id` among them, stand below
it: `- emit: { from: alice, event: chat, id: hello }`.",
    ),
    (
        NOT_ALLOWED,
        "Scenario files are plain YAML: no anchors (`&a`), aliases (`*a`), tags (`!!str`), merge keys (`<<`)
or directives (`%YAML`), and one document per file. A text that begins with one of `& * ! % @` is
quoted. What would be repeated becomes a verb.",
    ),
    (
        BUDGET,
        "A file has at most 1 MiB, 200,000 values and 48 levels, a scenario at most 50,000 clients and
100,000 steps after verbs and repetitions are unfolded. More of anything is usually a mistake; an
event that is sent often needs no `repeat`, but `times`.",
    ),
    (
        VERSION,
        "`version` is the version of the format, which is 1. A file of a later version needs a later tool.",
    ),
    (
        DUPLICATE_CLIENT,
        "Two clients have the same name, perhaps one by itself and one of a group.",
    ),
    (
        BAD_NAME,
        "Names of clients, labels, verbs and their parameters begin with a letter and go on with letters,
digits, `-` and `_`, all of them ASCII, at most 64. `all`, `server`, `net` and `run` have a meaning
and cannot be the name of a client; `all` and `quiet` cannot be labels.",
    ),
    (
        BAD_PATTERN,
        "The `name` of a `{count: …}` group contains `$n` exactly once, the number of the client, from 1:
`name: c$n` makes `c1`, `c2` and so on, which together are called `c*`.",
    ),
    (
        UNKNOWN_LABEL,
        "`since`, `until`, `all-of` and `what` refer to a step by its `id`. Labels inside of a verb or of a
`repeat` are known there only, each repetition having its own.",
    ),
    (
        DUPLICATE_LABEL,
        "Two steps have the same `id`, so that it would not be clear which of them is meant.",
    ),
    (
        LABEL_ORDER,
        "`since`, `all-of` and `heal` refer to a step above, `until` to one below: a window that ends
before it begins contains nothing.",
    ),
    (
        VACUOUS,
        "A `never` is only worth something if the thing that it forbids could happen. The window of this one
contains no step that can make anything arrive (`emit`, `broadcast`, `raw`, `connect`, a fault or a
`heal`): it would pass whatever the server does. A window begins with the previous acting step, or
with the step that `since` names, and lasts until the run is quiet, for `for`, or until the step
that `until` names.",
    ),
    (
        NOT_A_FAULT,
        "`heal` mends a fault that lasts: `stall`, `black-hole`, `delay`, `chop`, `refuse`, `partition`,
`hold` or `crash`. `cut` and `half-close` happen once and leave nothing to mend.",
    ),
    (
        SENDS_NOTHING,
        "`all-of` means everything that a step sent, so the step is an `emit` or a `broadcast`.",
    ),
    (
        CONFLICT,
        "Two keys, or a key and its place, exclude each other.",
    ),
    (
        DEPENDS,
        "A key has an effect only together with another one.",
    ),
    (
        NOT_IN_NAMESPACE,
        "A client can only send, be sent to and be expected to hear something in a namespace that it enters
by its `namespace` or `namespaces`. Without `namespace` a step means `/` if all of its clients enter
it, and otherwise the only namespace that they all enter.",
    ),
    (
        BAD_NAMESPACE,
        "The name of a namespace begins with a slash, and has neither a comma nor a `?` in it: the protocol
could not carry it.",
    ),
    (
        NO_SUCH_NAMESPACE,
        "The server has the namespace `/`, those under `server: { namespaces: … }`, and those that match a
pattern under `server: { dynamic: … }`. A client that enters another one is refused with
`Invalid namespace`, which the client can expect: `refused: Invalid namespace`.",
    ),
    (
        BAD_REGEX,
        "The regular expression cannot be read. The syntax is that of the Rust crate `regex`: no look-around
and no back references. In `{matches: /…/}` it stands between slashes, and the whole is quoted if it
has a `{`, `}`, `[`, `]`, a comma, ` #` or `: ` in it.",
    ),
    (
        BAD_HEX,
        r#"Bytes are written as pairs of hexadecimal digits: `{hex: "00ff"}`, quoted, since `00` or `1e5`
would be numbers."#,
    ),
    (
        BAD_TEMPLATE,
        "A text that begins with `$` stands for a value: `$i` for the number of the repetition, `$sid(alice)`
for the id of a client's socket, `$name` for what an `expect` above captured, and inside of a verb
for its parameter. A text that really begins with a dollar sign is written with two: `$$5`. A dollar
sign further on in a text means itself.",
    ),
    (
        BAD_USE,
        "A file under `use` cannot be read, or is not a file of verbs. Its name is relative to the file that
names it.",
    ),
    (
        VERB_ORDER,
        "A verb may use the verbs above it, of its own file and of files that are named earlier under `use`.
So no verb can use itself.",
    ),
    (
        VERB_ARGUMENT,
        "The arguments of a verb do not fit its parameters.",
    ),
    (
        BAD_VERB,
        "The definition of a verb is wrong: its name is taken, or a parameter has no known type. Types are
`clients`, `client`, `string`, `number`, `boolean`, `duration`, `list` and `value`. A parameter with
a default is `{type: string, default: lobby}`; one with `optional: true` and no default is left out,
with its key, where it is used.",
    ),
    (
        UNKNOWN_RULE,
        "`rules` takes IDs of `core/RULES.md`, as in `BC-TGT-06`.",
    ),
    (
        RESERVED_EVENT,
        "`connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener` and `removeListener` are
reserved (BC-09): neither clients nor servers can emit them, so nobody can receive them. What
becomes of a connection is asked by `expect-connection`.",
    ),
    (
        EMPTY,
        "Something must stand here, and nothing does.",
    ),
    (
        BAD_WINDOW,
        "The number of times contradicts the step: what must not be received at all is a `never`.",
    ),
    (
        NOT_A_SCENARIO,
        "A file of verbs cannot be run; scenarios name it under `use`.",
    ),
    (
        BAD_KEY,
        "The keys of maps are words.",
    ),
    (
        FORMAT,
        "The formatter changes layout only, and looks at its own work: what the file says and all of its
comments must be the same afterwards. Where that fails, the file is left as it is.",
    ),
    (
        UNUSED_CLIENT,
        "No step speaks of this client. It is still connected, and the rules judge what it hears; but a
client that is never mentioned is often a leftover or a misspelt name. Name it in a `never` if it is
there to hear nothing.",
    ),
    (
        UNUSED_LABEL,
        "No step refers to this `id`. It may be a leftover, or the reference is missing: a `never` without
`since` begins with the previous acting step.",
    ),
    (
        OCTAL,
        "A number that begins with 0 is octal for some readers of YAML and decimal for others. It is decimal
here. Quote it if it is a text, or remove the zeros.",
    ),
    (
        REPEATED,
        "A list names the same thing twice; the second time has no effect.",
    ),
    (
        UNUSED_VERBS,
        "A file under `use` has no verb that a step uses, or a parameter of a verb is used by none of its
steps.",
    ),
    (
        IDLE_FAULT,
        "The fault may touch nobody: no client is certain to sit on this rack. Which rack a client without
`rack` gets is drawn from the seed.",
    ),
];
