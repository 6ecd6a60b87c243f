//! The one document of an invocation, checked against everything that holds for all of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::Ran;

/// A document that is valid.
#[derive(Clone, Debug)]
pub struct Document(pub Value);

impl Document {
    /// Reads stdout as exactly one document.
    ///
    /// # Panics
    /// When it is anything else.
    pub(crate) fn read(ran: &Ran) -> Self {
        let shown = format!("--- stdout\n{}--- stderr\n{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.is_ascii(), "documents are ASCII\n{shown}");
        assert!(ran.stdout.ends_with('\n') && ran.stdout.matches('\n').count() == 1, "a document is one line\n{shown}");
        let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{shown}"));
        let ok = value["ok"].as_bool().unwrap_or_else(|| panic!("`ok` is a bool\n{shown}"));
        assert_eq!(ok, ran.code == 0, "`ok` says what the exit code says\n{shown}");
        assert_eq!(value["version"], env!("CARGO_PKG_VERSION"), "{shown}");
        assert_eq!(value["schema_version"], agent_workspace_contract::SCHEMA_VERSION, "{shown}");
        if !ok {
            assert_eq!(value["error"]["exit_code"], ran.code, "{shown}");
        }
        let schema = match value["command"].as_str() {
            None | Some("") => "error".to_owned(),
            Some("up") => "create".to_owned(),
            // Those of a group have the group's name before theirs.
            Some(command) => command.replace(' ', "-"),
        };
        let problems = problems(&schema, &value);
        assert!(problems.is_empty(), "schema {schema}: {}\n{shown}", problems.join("; "));
        Self(value)
    }

    /// The value at a JSON Pointer.
    ///
    /// # Panics
    /// When nothing is there.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer} in {}", self.0))
    }

    /// The string at a JSON Pointer.
    ///
    /// # Panics
    /// When no string is there.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("no string at {pointer} in {}", self.0))
    }

    /// The error's code, empty for a success.
    pub fn error_code(&self) -> &str {
        self.0.pointer("/error/code").and_then(Value::as_str).unwrap_or_default()
    }

    /// Codes of the warnings.
    pub fn warnings(&self) -> Vec<&str> {
        self.0["warnings"].as_array().into_iter().flatten().filter_map(|warning| warning["code"].as_str()).collect()
    }
}

/// The schema of a command's document, made strict: a key that no schema names is a mistake here, though readers
/// ignore it.
///
/// # Panics
/// When no document belongs to the command.
pub fn schema_of(command: &str) -> Value {
    let mut schema = agent_workspace_contract::schema::all()
        .remove(command)
        .unwrap_or_else(|| panic!("no document belongs to {command}"));
    make_strict(&mut schema);
    schema
}

fn make_strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let closed = object.contains_key("properties") && !object.contains_key("additionalProperties");
            object.values_mut().for_each(make_strict);
            if closed {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_strict),
        _ => {}
    }
}

fn problems(command: &str, document: &Value) -> Vec<String> {
    static VALIDATORS: Mutex<BTreeMap<String, jsonschema::Validator>> = Mutex::new(BTreeMap::new());
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators
        .entry(command.to_owned())
        .or_insert_with(|| jsonschema::validator_for(&schema_of(command)).expect("schemas are schemas"));
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
