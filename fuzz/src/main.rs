//! libFuzzer around the launcher's properties. `AGENT_WORKSPACE_FUZZ` names the one to try.
#![no_main]

use std::sync::OnceLock;

use agent_workspace::fuzzing::{Property, TARGETS};

static PROPERTY: OnceLock<Property> = OnceLock::new();

fn choose() -> Property {
    let name = std::env::var("AGENT_WORKSPACE_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let names: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
    found.unwrap_or_else(|| panic!("AGENT_WORKSPACE_FUZZ={name:?}; targets: {}", names.join(" "))).1
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| PROPERTY.get_or_init(choose)(bytes));
