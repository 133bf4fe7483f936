//! Values of variables from outside, and secrets among them: what is secret is never written.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use clap::Args;
use overheard::scenario::{Scenario, Values};

use super::environment;
use super::exit::Failure;

/// The beginning of a variable of the environment that gives a value.
const VAR: &str = "OVERHEARD_VAR_";

/// The beginning of one that gives a secret.
const SECRET: &str = "OVERHEARD_SECRET_";

/// So many characters of a secret tell of it.
const TELLING: usize = 4;

/// What stands for a secret.
const HIDDEN: &str = "***";

/// What gives variables their values.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Values of variables")]
pub(crate) struct ValueArgs {
    /// A value for a variable of scenario files, in YAML; also OVERHEARD_VAR_…
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, hide_short_help = true)]
    var: Vec<(String, String)>,
    /// Values from a YAML file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    vars_file: Vec<PathBuf>,
    /// A text that is written nowhere; also OVERHEARD_SECRET_…, which other users do not see
    #[arg(long, value_name = "NAME=TEXT", value_parser = pair, hide_short_help = true)]
    secret: Vec<(String, String)>,
}

impl ValueArgs {
    /// What commands give that read no scenario.
    pub(crate) const fn none() -> Self {
        Self { var: Vec::new(), vars_file: Vec::new(), secret: Vec::new() }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a name, `=` and a value")?;
    if name.is_empty() {
        Err("no name before `=`".to_owned())
    } else {
        Ok((name.into(), value.into()))
    }
}

/// What this process was given.
#[derive(Debug, Default)]
struct Given {
    values: Values,
    /// The secrets, as they are and as they stand in JSON; long ones first, as one may be part of
    /// another.
    secrets: Vec<String>,
    /// Names that are meant for some file of the selection.
    named: Vec<String>,
    /// What gives the same values to another process: arguments, and variables for secrets.
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    /// What gives them on a command line, without telling a secret.
    flags: String,
}

impl Given {
    fn take_secret(&mut self, name: &str, value: String) -> Result<(), Failure> {
        if value.chars().count() < TELLING {
            let message = format!("the secret `{name}` has fewer than {TELLING} characters");
            return Err(Failure::usage(message).help("it would be hidden in words that it is not"));
        }
        self.values.insert_text(name, &value);
        let escaped = serde_json::Value::from(value.as_str()).to_string();
        self.environment.push((format!("{SECRET}{name}"), value.clone()));
        self.secrets.extend([value, escaped.trim_matches('"').to_owned()]);
        Ok(())
    }
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// Takes the values of this process in, once.
pub(crate) fn take(args: &ValueArgs) -> Result<(), Failure> {
    let mut given = Given::default();
    for path in &args.vars_file {
        let wrong = |error: String| Failure::usage(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        given.values.insert_file(&path.display().to_string(), &text).map_err(wrong)?;
        given.named = given.values.names().map(str::to_owned).collect();
        given.flags.push_str(" --vars-file ");
        given.flags.push_str(&super::play::quoted(&path.display().to_string()));
        given.arguments.extend(["--vars-file".into(), path.clone().into_os_string()]);
    }
    for (name, value) in environment::named(VAR) {
        let wrong = |error| Failure::usage(format!("the variable {VAR}{name}: {error}"));
        given.values.insert(&name, &value).map_err(wrong)?;
    }
    for (name, value) in environment::named(SECRET) {
        given.take_secret(&name, value)?;
    }
    for (name, value) in &args.var {
        let wrong = |error| Failure::usage(format!("--var {name}: {error}"));
        given.values.insert(name, value).map_err(wrong)?;
        given.named.push(name.clone());
        given.flags.push_str(" --var ");
        given.flags.push_str(&super::play::quoted(&format!("{name}={value}")));
        given.arguments.extend(["--var".into(), format!("{name}={value}").into()]);
    }
    for (name, value) in &args.secret {
        given.take_secret(name, value.clone())?;
        given.named.push(name.clone());
        // Writing to a string cannot fail.
        _ = write!(given.flags, " --secret {name}=\"${SECRET}{name}\"");
    }
    given.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    GIVEN.get_or_init(|| given);
    Ok(())
}

/// The values.
pub(crate) fn values() -> Cow<'static, Values> {
    GIVEN.get().map_or_else(Cow::default, |given| Cow::Borrowed(&given.values))
}

/// What gives them on a command line, with a space in front.
pub(crate) fn flags() -> &'static str {
    GIVEN.get().map_or("", |given| &given.flags)
}

/// Gives them to another process of ours.
pub(crate) fn give(command: &mut Command) {
    if let Some(given) = GIVEN.get() {
        command.args(&given.arguments).envs(given.environment.iter().cloned());
    }
}

/// Complains of a value that no file has a variable for.
pub(crate) fn check<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> Result<(), Failure> {
    let Some(given) = GIVEN.get().filter(|given| !given.named.is_empty()) else { return Ok(()) };
    let known: Vec<&String> = scenarios.flat_map(Scenario::vars).collect();
    match given.named.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("no selected scenario has a variable `{name}`");
            Err(Failure::usage(message).help("`vars` at the head of a file lists its variables"))
        }
    }
}

/// A text without secrets.
pub(crate) fn hide(text: &str) -> Cow<'_, str> {
    GIVEN.get().map_or(Cow::Borrowed(text), |given| without(text, &given.secrets))
}

fn without<'t>(text: &'t str, secrets: &[String]) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), HIDDEN));
        }
        // Pictures cut long values: what is left of a secret there is hidden as well.
        let Some((few, _)) = secret.char_indices().nth(TELLING) else { continue };
        if text.contains(&secret[..few]) {
            text = Cow::Owned(without_beginning(&text, secret, few));
        }
    }
    text
}

/// A text without the beginnings of a secret, `few` bytes or more, at which something was cut.
fn without_beginning(text: &str, secret: &str, few: usize) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(&secret[..few]) {
        let (before, found) = rest.split_at(at);
        let pairs = found.char_indices().zip(secret.chars());
        let other = pairs.clone().find(|((_, one), other)| one != other);
        let end = other.map_or_else(|| found.len().min(secret.len()), |((end, _), _)| end);
        let is_cut = found[end..].starts_with(['…', '─', '-', '~']);
        out.push_str(before);
        out.push_str(if is_cut { HIDDEN } else { &found[..end] });
        rest = &found[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::{pair, without};

    #[test]
    fn secrets_are_written_nowhere_whole_or_cut() {
        let secrets = ["correct horse battery".to_owned(), "päss".to_owned()];
        let hidden = |text| without(text, &secrets).into_owned();
        assert_eq!(hidden("a correct horse battery b"), "a *** b");
        assert_eq!(hidden("[\"päss\"]"), "[\"***\"]");
        assert_eq!(hidden("chat(\"correct hor─▶│ correct h…"), "chat(\"***─▶│ ***…");
        assert_eq!(hidden("correct answers, correct"), "correct answers, correct");
        assert_eq!(hidden("corr"), "corr");
    }

    #[test]
    fn a_value_has_a_name() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }
}
