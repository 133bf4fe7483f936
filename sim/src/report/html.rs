//! One page about one history: it needs no network, no server, and trusts nothing that it shows.

use serde_json::json;

use super::picture::{describe, matters};
use crate::history::History;

/// The page; its one hole is filled with data that is never code.
const PAGE: &str = include_str!("page.html");

/// Events that are drawn; a browser gives up on more.
const MAX_EVENTS: usize = 10_000;

/// Characters of one event's text.
const MAX_TEXT: usize = 2_000;

/// The whole page: the story of a history beside the scenario that it came from.
#[must_use]
pub fn page(history: &History, source: Option<&str>) -> String {
    let header = &history.header;
    let told = history.events.iter().filter(|event| matters(event));
    let events: Vec<_> = told
        .take(MAX_EVENTS)
        .map(|event| {
            let text: String = describe(&event.what).chars().take(MAX_TEXT).collect();
            json!([event.n, event.t, event.who, text, event.parent, event.step])
        })
        .collect();
    let total = history.events.iter().filter(|event| matters(event)).count();
    let data = json!({
        "scenario": header.scenario,
        "file": header.file,
        "seed": header.seed,
        "network": header.network,
        "clients": header.clients,
        "source": source,
        "total": total,
        "events": events,
    });
    PAGE.replacen("/*DATA*/null", &embedded(&data), 1)
}

/// JSON that no HTML can end.
fn embedded(data: &serde_json::Value) -> String {
    let text = data.to_string();
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::{PAGE, embedded};

    #[test]
    fn no_payload_can_leave_its_script() {
        let data = serde_json::json!(["</script><script>alert(1)</script>", "<!--"]);
        let text = embedded(&data);
        assert!(!text.contains('<'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), data);
    }

    #[test]
    fn the_page_has_one_hole_and_asks_nobody() {
        assert_eq!(PAGE.matches("/*DATA*/null").count(), 1);
        assert!(PAGE.contains("http-equiv=\"Content-Security-Policy\""));
        let w3 = PAGE.replace("http://www.w3.org/2000/svg", "");
        assert!(!w3.contains("http://") && !w3.contains("https://") && !PAGE.contains("innerHTML"));
    }
}
