//! The layout of files.

use overheard::scenario::format;

use crate::support::{files, text_of, valid_files};

#[test]
fn every_file_is_laid_out_as_fmt_does_it() {
    let verbs = files("scenarios").into_iter().filter(|name| name.contains("/verbs/"));
    for path in valid_files().into_iter().chain(verbs) {
        let text = text_of(&path).unwrap();
        let formatted = format(&path, &text).unwrap();
        assert_eq!(formatted, text, "{path}: run `overheard fmt`");
    }
}

#[test]
fn layout_changes_and_nothing_else() {
    let text = "# a head\nversion:   1\nname: x\nclients: [ alice,bob ]   # two\n\n\nsteps:\n- emit:   \
                {from: alice,\n      event: chat, args: [\"5\", 'it''s', _]}\n\n  # the end\n- advance: {by: 1s}\n";
    let formatted = format("x.yaml", text).unwrap();
    insta::assert_snapshot!(formatted, @r##"
    # a head
    version: 1
    name: x
    clients: [alice, bob] # two

    steps:
      - emit: { from: alice, event: chat, args: ["5", 'it''s', _] }

        # the end
      - advance: { by: 1s }
    "##);
    assert_eq!(format("x.yaml", &formatted).unwrap(), formatted);
}

#[test]
fn what_cannot_be_read_is_not_formatted() {
    let rejected = format("x.yaml", "a: [").unwrap_err();
    assert_eq!(rejected.diagnostics[0].code, "OH0101");
}
