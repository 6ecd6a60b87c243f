//! JSON Schemas (2020-12) of every document, generated from the very types that are serialised.
//!
//! The files under `contract/schema/` are this module's output; a test fails when they drift, and rewrites them
//! when `UPDATE_SCHEMAS` is set.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::{
    AgentCreateReport, AgentDeleteReport, AgentDescribeReport, AgentListReport, AgentReinitReport, CapabilitiesReport,
    CompletionReport, ConfigCheckReport, ConfigEditReport, ConfigInitReport, ConfigSampleReport, CopyReport,
    CreateReport, DescribeReport, DoctorReport, ErrorCode, ErrorDocument, Failure, FieldReport, GrantsDenyReport,
    GrantsReport, HelpReport, ImageBuildReport, LifecycleReport, LsReport, ParseRepoReport, PlanReport, PruneReport,
    RehomeReport, RepairReport, RequiresReport, RmReport, SchemaReport, Success, SupportsReport, TunnelReport,
    VersionReport, VmCreateReport, VmDeleteReport, VmDescribeReport, VmHostAddReport, VmHostListReport,
    VmHostRemoveReport, VmLifecycleReport, VmListReport, VmLogsReport, VmPortForwardReport, VmReinitReport,
    VmSshConfigReport,
};

/// Stands for an error code in schemas: a string of the closed list.
pub struct ErrorCodeName;

impl JsonSchema for ErrorCodeName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// Every schema by the name of its command; `error` is the document of a failure alone.
#[must_use]
pub fn all() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("agent-create", of::<AgentCreateReport>("agent create")),
        ("agent-delete", of::<AgentDeleteReport>("agent delete")),
        ("agent-describe", of::<AgentDescribeReport>("agent describe")),
        ("agent-list", of::<AgentListReport>("agent list")),
        ("agent-reinit", of::<AgentReinitReport>("agent reinit")),
        ("capabilities", of::<CapabilitiesReport>("capabilities")),
        ("completion", of::<CompletionReport>("completion")),
        ("config-check", reporting::<ConfigCheckReport>("config check")),
        ("config-edit", reporting::<ConfigEditReport>("config edit")),
        ("config-init", of::<ConfigInitReport>("config init")),
        ("config-sample", of::<ConfigSampleReport>("config sample")),
        ("copy", of::<CopyReport>("copy")),
        ("create", create()),
        ("describe", of::<DescribeReport>("describe")),
        ("doctor", reporting::<DoctorReport>("doctor")),
        ("error", error()),
        ("field", of::<FieldReport>("field")),
        ("help", of::<HelpReport>("help")),
        ("image-build", of::<ImageBuildReport>("image-build")),
        ("ls", of::<LsReport>("ls")),
        ("parse-repo", of::<ParseRepoReport>("parse-repo")),
        ("prune", reporting::<PruneReport>("prune")),
        ("rehome", of::<RehomeReport>("rehome")),
        ("repair", of::<RepairReport>("repair")),
        ("requires", of::<RequiresReport>("requires")),
        ("rm", of::<RmReport>("rm")),
        ("schema", of::<SchemaReport>("schema")),
        ("start", of::<LifecycleReport>("start")),
        ("stop", of::<LifecycleReport>("stop")),
        ("supports", of::<SupportsReport>("supports")),
        ("tunnel", of::<TunnelReport>("tunnel")),
        ("version", of::<VersionReport>("version")),
        ("vm-create", of::<VmCreateReport>("vm create")),
        ("vm-delete", of::<VmDeleteReport>("vm delete")),
        ("vm-describe", of::<VmDescribeReport>("vm describe")),
        ("vm-host-add", of::<VmHostAddReport>("vm-host add")),
        ("vm-host-list", of::<VmHostListReport>("vm-host list")),
        ("vm-host-remove", of::<VmHostRemoveReport>("vm-host remove")),
        ("vm-list", of::<VmListReport>("vm list")),
        ("vm-logs", of::<VmLogsReport>("vm logs")),
        ("vm-port-forward", of::<VmPortForwardReport>("vm port-forward")),
        ("vm-reinit", of::<VmReinitReport>("vm reinit")),
        ("vm-ssh-config", of::<VmSshConfigReport>("vm ssh-config")),
        ("vm-start", of::<VmLifecycleReport>("vm start")),
        ("vm-stop", of::<VmLifecycleReport>("vm stop")),
        ("workspace-grants-deny", of::<GrantsDenyReport>("workspace-grants deny")),
        ("workspace-grants-grant", of::<GrantsReport>("workspace-grants grant")),
        ("workspace-grants-list", of::<GrantsReport>("workspace-grants list")),
    ])
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// A document of one command: its success or the error document.
fn of<R: JsonSchema>(command: &str) -> Value {
    let mut generator = generator();
    let success = generator.subschema_for::<Success<R>>();
    one_of::<ErrorDocument>(command, vec![(success, "A success.")], generator)
}

/// The same of a command whose failure carries its report too.
fn reporting<R: JsonSchema>(command: &str) -> Value {
    let mut generator = generator();
    let success = generator.subschema_for::<Success<R>>();
    one_of::<Failure<R>>(command, vec![(success, "A success.")], generator)
}

/// `create` answers what it did, or with `--plan` what it would do.
fn create() -> Value {
    let mut generator = generator();
    let done = generator.subschema_for::<Success<CreateReport>>();
    let planned = generator.subschema_for::<Success<PlanReport>>();
    let successes = vec![(done, "A success."), (planned, "The plan that --plan asks for.")];
    one_of::<ErrorDocument>("create", successes, generator)
}

fn one_of<F: JsonSchema>(command: &str, successes: Vec<(Schema, &str)>, mut generator: SchemaGenerator) -> Value {
    let mut documents = Vec::new();
    let failure = generator.subschema_for::<F>();
    for (document, description) in successes.into_iter().chain([(failure, "A failure.")]) {
        let mut document = document.to_value();
        mark(&mut document, description);
        documents.push(document);
    }
    let mut definitions = generator.take_definitions(true);
    let failures = [ErrorDocument::schema_name(), F::schema_name()].map(std::borrow::Cow::into_owned);
    for (name, definition) in &mut definitions {
        let properties = definition.get_mut("properties").and_then(Value::as_object_mut);
        // What is part of a document may have an `ok` of its own.
        if let Some(properties) = properties.filter(|properties| properties.contains_key("schema_version")) {
            // `ok` tells the two kinds apart, so the schema says which value each has.
            if let Some(ok) = properties.get_mut("ok") {
                *ok = serde_json::json!({ "const": !failures.contains(name) });
            }
        }
    }
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Document of agent-workspace {command}"),
        "oneOf": documents,
        "$defs": definitions,
    })
}

fn mark(schema: &mut Value, description: &str) {
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), description.into());
    }
}

fn error() -> Value {
    let mut value = generator().into_root_schema_for::<ErrorDocument>().to_value();
    if let Some(object) = value.as_object_mut() {
        object.insert("title".to_owned(), "Document of a failure of agent-workspace".into());
    }
    if let Some(ok) = value.pointer_mut("/properties/ok") {
        *ok = serde_json::json!({ "const": false });
    }
    value
}
