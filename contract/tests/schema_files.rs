//! The checked-in schemas are what the types say.
#![cfg(feature = "schema")]

use std::path::Path;

#[test]
fn checked_in_schemas_do_not_drift_from_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let schemas = agent_workspace_contract::schema::all();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        for (name, schema) in &schemas {
            let text = serde_json::to_string_pretty(schema).expect("schemas are JSON") + "\n";
            std::fs::write(folder.join(format!("{name}.json")), text).expect("the folder is writable");
        }
    }
    for (name, schema) in &schemas {
        let file = folder.join(format!("{name}.json"));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let checked_in: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(&checked_in, schema, "{name}.json drifted; run UPDATE_SCHEMAS=1 cargo test --features schema");
    }
    let files = std::fs::read_dir(&folder).expect("the folder exists").count();
    assert_eq!(files, schemas.len(), "a schema file belongs to no command");
}
