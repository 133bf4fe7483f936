//! Reads vector files: every file whose name starts with a kind, every entry a case of its own.

use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use overheard_core::codec::sio::json;
use overheard_core::engine::Transports;
use overheard_core::value::{Object, Value};

/// One entry of a vector file.
pub(crate) struct Vector {
    pub(crate) id: String,
    entry: Object,
    last: RefCell<String>,
}

impl Vector {
    pub(crate) fn get(&self, key: &str) -> &Value {
        self.entry.get(key).unwrap_or(&Value::Null)
    }

    pub(crate) fn array(&self, key: &str) -> &[Value] {
        self.get(key).as_array().unwrap_or_default()
    }

    /// Notes the step that a failure is reported at.
    pub(crate) fn at(&self, step: &Value) {
        *self.last.borrow_mut() = json::stringify(step);
    }
}

/// The files of a kind, by name.
pub(crate) fn read(kind: &str) -> Vec<(String, Object)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of vectors")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(kind))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {kind}*.json");
    let objects = files.into_iter().map(|file| {
        let text = fs::read_to_string(&file).expect("a readable file");
        let parsed = json::parse(&text).expect("a JSON file");
        (file.display().to_string(), parsed.as_object().expect("an object").clone())
    });
    objects.collect()
}

/// Fails when a file of a kind has a section that no test reads.
#[track_caller]
pub(crate) fn known_sections(kind: &str, sections: &[&str]) {
    for (file, object) in read(kind) {
        for (section, _) in object.iter() {
            assert!(section == "meta" || sections.contains(&section), "{file}: {section}?");
        }
    }
}

/// Runs a check over one section of every `<kind>*.json`, and reports all failures by id, note
/// and step.
///
/// A file need not have every section; `known_sections` sees to it that none is passed over.
#[track_caller]
pub(crate) fn each(kind: &str, section: &str, check: impl Fn(&Vector)) {
    let (mut count, mut failures) = (0, Vec::new());
    for (_, file) in read(kind) {
        let Some(entries) = file.get(section) else { continue };
        for entry in entries.as_array().expect("a list") {
            let entry = entry.as_object().expect("an object").clone();
            let id = entry.get("id").and_then(Value::as_str).unwrap_or("?").to_owned();
            let vector = Vector { id, entry, last: RefCell::default() };
            count += 1;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&vector))) {
                let message = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("panic");
                let note = vector.get("note").as_str().unwrap_or_default();
                let step = vector.last.borrow();
                failures.push(format!("\n{}: {note}\n  at {step}\n  {message}\n", vector.id));
            }
        }
    }
    assert!(count > 0, "no vector of kind {kind}");
    assert!(failures.is_empty(), "of {count} vectors:{}", failures.concat());
}

/// The bytes of `{"$bin": "<hex>"}`.
pub(crate) fn bytes_of(value: &Value) -> Option<Bytes> {
    let object = value.as_object()?;
    Some(unhex(object.get("$bin")?.as_str()?))
}

pub(crate) fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A vector's value with its binary leaves in place.
pub(crate) fn with_binary(value: &Value) -> Value {
    if let Some(data) = bytes_of(value) {
        return Value::Binary(data);
    }
    match value {
        Value::Array(items) => Value::Array(items.iter().map(with_binary).collect()),
        Value::Object(object) => Value::Object(
            object.iter().map(|(key, value)| (key.to_owned(), with_binary(value))).collect(),
        ),
        other => other.clone(),
    }
}

/// The option `transports`: a list of names.
pub(crate) fn transports(value: &Value) -> Transports {
    let names: Vec<_> = value.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    match (names.contains(&"polling"), names.contains(&"websocket")) {
        (true, true) => Transports::Both,
        (true, false) => Transports::PollingOnly,
        (false, true) => Transports::WebSocketOnly,
        (false, false) => panic!("no transport in {names:?}"),
    }
}
