//! `schema`: the JSON Schema of each command's document, as checked in.

use std::collections::BTreeMap;

use agent_workspace_contract::{ErrorCode, SchemaReport};

use crate::error::{Error, Result, usage};

macro_rules! schemas {
    ($($name:literal),* $(,)?) => {
        /// The generated files, by the name of their command.
        const SCHEMAS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../contract/schema/", $name, ".json")))),*];
    };
}

schemas! {
    "agent-create", "agent-delete", "agent-describe", "agent-list", "agent-reinit", "capabilities", "completion", "config-check", "config-edit", "config-init", "config-sample", "copy", "create", "describe", "doctor", "error", "field", "help", "image-build", "ls", "parse-repo", "prune", "rehome", "repair", "requires", "rm", "schema", "start", "stop", "supports", "tunnel", "version", "vm-create", "vm-delete", "vm-describe", "vm-host-add", "vm-host-list", "vm-host-remove", "vm-list", "vm-logs", "vm-port-forward", "vm-reinit", "vm-ssh-config", "vm-start", "vm-stop", "workspace-grants-deny", "workspace-grants-grant", "workspace-grants-list",
}

/// Names of the schemas.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCHEMAS.iter().map(|(name, _)| *name)
}

/// Flags of `schema`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Command whose document is meant; all of them when absent
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
}

impl Args {
    /// The schema's name: `up` is `create`, `image build` is `image-build`.
    ///
    /// # Errors
    /// `usage` for what no document belongs to.
    pub fn resolve(self) -> Result<Option<&'static str>> {
        let Self { command } = self;
        if command.is_empty() {
            return Ok(None);
        }
        let joined = command.join("-");
        let name = if joined == "up" { "create" } else { &joined };
        names().find(|known| *known == name).map(Some).ok_or_else(|| {
            usage(format!("no document belongs to {joined:?}"))
                .hint(format!("one of: {}", names().collect::<Vec<_>>().join(", ")))
        })
    }
}

/// Reads the schemas that are asked for.
///
/// # Errors
/// `internal` when a checked-in file is not JSON.
pub fn run(name: Option<&str>) -> Result<SchemaReport> {
    let wanted = SCHEMAS.iter().filter(|(known, _)| name.is_none_or(|name| name == *known));
    let schemas = wanted.map(|(name, text)| {
        let schema = serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorCode::Internal, format!("schema {name} is broken")).cause(error.to_string())
        })?;
        Ok(((*name).to_owned(), schema))
    });
    Ok(SchemaReport { schemas: schemas.collect::<Result<BTreeMap<_, _>>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_checked_in_schema_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/schema");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), SCHEMAS.len());
        assert_eq!(run(None).unwrap().schemas.len(), SCHEMAS.len());
        assert_eq!(
            Args { command: vec!["image".to_owned(), "build".to_owned()] }.resolve().unwrap(),
            Some("image-build")
        );
        assert!(Args { command: vec!["nosuch".to_owned()] }.resolve().is_err());
    }
}
