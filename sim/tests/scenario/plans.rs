//! From files and seeds to plans.

use std::time::Duration;

use overheard::plan::{
    Action, ClientPlan, Count, Fault, Pattern, Plan, ServerAction, Since, Step, Template, Until,
    Wanted, Within,
};
use overheard::scenario::{PlanOptions, Preset, load};
use overheard_core::value::Value;

use crate::support::{messages, read, text_of};

fn plan_of(text: &str) -> Plan {
    let text = format!("version: 1\nname: a test\n{text}");
    let read = |_: &str| text_of("scenarios/verbs/chat.yaml");
    let loaded = load("test.yaml", &text, &read);
    let loaded = loaded.unwrap_or_else(|rejected| panic!("{}", messages(&rejected)));
    loaded.scenario.plan(7, &PlanOptions::default())
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let scenario = read("sim/tests/scenario/files/partition.yaml").unwrap().scenario;
    let plan = |seed| format!("{:?}", scenario.plan(seed, &PlanOptions::default()));
    assert_eq!(plan(1), plan(1));
    assert_ne!(plan(1), plan(2));
}

#[test]
fn what_is_drawn_for_a_client_does_not_depend_on_the_others() {
    let steps = "racks: 8\nsteps: [{ advance: { by: 1s } }]\n";
    let few = plan_of(&format!("clients: [alice, bob]\n{steps}"));
    let many = plan_of(&format!("clients: [zoe, bob, alice, carol]\n{steps}"));
    let drawn = |plan: &Plan, name: &str| {
        let client = plan.clients.iter().find(|client| client.name == name).unwrap();
        (client.rack, client.latency, client.seed)
    };
    for name in ["alice", "bob"] {
        assert_eq!(drawn(&few, name), drawn(&many, name));
    }
    assert_eq!(few.network.seed, many.network.seed);
    assert_eq!(few.server.id_seed, many.server.id_seed);
}

#[test]
fn delays_come_from_the_network_unless_the_client_has_its_own() {
    let text = "clients: { alice: , bob: { latency: 3s } }\nnetwork: satellite\nsteps: [{ advance: { by: 1s } }]\n";
    let plan = plan_of(text);
    let (min, max) = Preset::Satellite.latency();
    assert!((min..=max).contains(&plan.clients[0].latency));
    assert_eq!(plan.clients[1].latency, Duration::from_secs(3));
    let loaded = load("x.yaml", &format!("version: 1\nname: x\n{text}"), &text_of).unwrap();
    let options = PlanOptions { network: Some(Preset::Wifi), sabotage: None };
    let plan = loaded.scenario.plan(7, &options);
    let (min, max) = Preset::Wifi.latency();
    assert!((min..=max).contains(&plan.clients[0].latency));
    assert_eq!(plan.network.name, "wifi");
    assert_eq!(plan.clients[1].latency, Duration::from_secs(3));
}

#[test]
fn jitter_comes_from_the_network_unless_the_client_has_its_own() {
    let jitter = |network: &str, options: &PlanOptions| {
        let text = format!(
            "version: 1\nname: x\nclients: {{ alice: , bob: {{ jitter: 70ms }} }}\n{network}\nsteps: [{{ advance: {{ by: 1s }} }}]\n"
        );
        let loaded = load("x.yaml", &text, &text_of).unwrap();
        let plan = loaded.scenario.plan(7, options);
        assert_eq!(plan.clients[0].slowest(), plan.clients[0].latency + plan.clients[0].jitter);
        let jitter = |client: &ClientPlan| client.jitter.as_millis();
        (plan.network.jitter.as_millis(), jitter(&plan.clients[0]), jitter(&plan.clients[1]))
    };
    let file = PlanOptions::default();
    assert_eq!(jitter("", &file), (0, 0, 70));
    assert_eq!(jitter("network: { jitter: 5ms }", &file), (5, 5, 70));
    assert_eq!(jitter("network: { latency: 1ms..9ms }", &file), (0, 0, 70));
    for (preset, name) in Preset::ALL {
        let millis = preset.jitter().as_millis();
        assert_eq!(jitter(&format!("network: {name}"), &file), (millis, millis, 70));
        let chosen = PlanOptions { network: Some(preset), sabotage: None };
        assert_eq!(jitter("network: { jitter: 5ms }", &chosen), (millis, millis, 70));
    }
}

#[test]
fn a_range_of_a_delay_is_jitter() {
    let plan = plan_of(
        "clients: [bob]\nsteps:\n  - delay: { who: bob, by: 5ms..40ms }\n  - delay: { who: bob, by: 1s }\n  - delay: { who: bob, by: 0s..1us }\n",
    );
    let by = |step: &Step| match &step.action {
        Action::Fault { fault: Fault::Delay { by: (least, most), .. }, .. } => {
            (least.as_micros(), most.as_micros())
        }
        other => panic!("{other:?}"),
    };
    let by: Vec<_> = plan.steps.iter().map(by).collect();
    assert_eq!(by, [(5_000, 40_000), (1_000_000, 1_000_000), (0, 1)]);
}

#[test]
fn verbs_unfold_at_the_place_of_the_call() {
    let plan = plan_of(
        "use: [chat.yaml]\nclients: [alice, bob]\nsteps:\n  - say: { from: alice, text: hi, to: tea, id: hello }\n  \
         - never: { at: bob, since: hello }\n",
    );
    let step = &plan.steps[0];
    assert_eq!((step.span.line, step.label.as_deref()), (6, Some("hello")));
    let Action::Emit(emit) = &step.action else { panic!("{step:?}") };
    assert_eq!((emit.event.as_str(), emit.namespace.as_str()), ("chat", "/"));
    let options: overheard_core::value::Object = [("to", "tea")].into_iter().collect();
    assert_eq!(emit.args, [Template::Value("hi".into()), Template::Value(Value::Object(options))]);
    assert_eq!(emit.ack, Some(vec![Pattern::Value(Template::Value("ok".into()))]));
    let Action::Never(never) = &plan.steps[1].action else { panic!() };
    assert_eq!((&never.since, &never.until), (&Since::Label("hello".into()), &Until::Quiet));
}

#[test]
fn repetitions_have_numbers_and_labels_of_their_own() {
    let plan = plan_of(
        "clients: [alice, bob]\nsteps:\n  - repeat:\n      times: 2\n      steps:\n        \
         - emit: { from: alice, event: n, args: [$i], id: one }\n        \
         - never: { at: alice, event: n, since: one }\n  - expect: { at: bob, event: n, exactly: 2 }\n",
    );
    let sent: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Emit(emit) => Some((emit.args.clone(), step.label.clone().unwrap())),
            _ => None,
        })
        .collect();
    let value = |int: i64| vec![Template::Value(Value::from(int))];
    assert_eq!(sent, [(value(0), "one@1".into()), (value(1), "one@2".into())]);
    let ids: Vec<u32> = plan.steps.iter().map(|step| step.id.0).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4]);
    let Action::Never(never) = &plan.steps[3].action else { panic!() };
    assert_eq!(never.since, Since::Label("one@2".into()));
}

#[test]
fn defaults_are_as_documented() {
    let plan = plan_of(
        "clients: { count: 3, name: c$n }\nsteps:\n  - broadcast: { event: x, ack: [_] }\n  \
         - expect: { at: c*, event: x }\n  - never: { at: c1, event: y, for: 1s }\n",
    );
    let names: Vec<_> = plan.clients.iter().map(|client| client.name.as_str()).collect();
    assert_eq!(names, ["c1", "c2", "c3"]);
    assert_eq!((plan.network.name.as_str(), plan.network.racks), ("lan", 1));
    let Action::Server(ServerAction::Broadcast { target, ack, times, .. }) = &plan.steps[0].action
    else {
        panic!()
    };
    assert_eq!((target.namespace.as_str(), target.to.len(), *times), ("/", 0, 1));
    assert_eq!(ack.as_ref().unwrap().0, Duration::from_secs(5));
    let Action::Expect(expect) = &plan.steps[1].action else { panic!() };
    assert_eq!(expect.at.len(), 3);
    assert_eq!(expect.count, Count::AtLeast(1));
    assert_eq!(expect.within, Within::Time(Duration::from_secs(5)));
    let Wanted::One(pattern) = &expect.what else { panic!() };
    assert_eq!(pattern.args, None);
}

#[test]
fn quotes_and_dollars_mean_what_they_say() {
    let plan = plan_of(
        "clients: [alice]\nsteps:\n  - emit: { from: alice, event: x, args: [no, \"5\", 5, $$5, a$b, { hex: \"00ff\" }, 2.0] }\n  \
         - expect: { at: alice, event: x, args: [_, \"_\", { contains: a }, { type: number }, { literally: { type: x } }] }\n",
    );
    let Action::Emit(emit) = &plan.steps[0].action else { panic!() };
    let value = |value: Value| Template::Value(value);
    let bytes = bytes::Bytes::from_static(&[0, 255]);
    assert_eq!(
        emit.args,
        [
            value("no".into()),
            value("5".into()),
            value(5_i64.into()),
            value("$5".into()),
            value("a$b".into()),
            value(bytes.into()),
            value(2_i64.into()),
        ]
    );
    let Action::Expect(expect) = &plan.steps[1].action else { panic!() };
    let Wanted::One(pattern) = &expect.what else { panic!() };
    let literally: overheard_core::value::Object = [("type", "x")].into_iter().collect();
    let patterns = pattern.args.as_ref().unwrap();
    assert_eq!(patterns[0], Pattern::Any);
    assert_eq!(patterns[1], Pattern::Value(value("_".into())));
    assert_eq!(patterns[4], Pattern::Value(value(literally.into())));
}
