//! `config edit`: the configuration in the editor of whoever runs this, and what is wrong with it afterwards.

use std::path::PathBuf;

use agent_workspace_contract::{ConfigEditReport, EnvVar, ErrorCode};
use tokio::signal::unix::{SignalKind, signal};

use super::words;
use crate::config;
use crate::error::{Error, Result, usage};
use crate::host::{Host, tokens};

/// What is opened with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The file.
    path: PathBuf,
    /// The editor and its arguments.
    editor: Vec<String>,
    /// The variable that names it.
    named_by: &'static str,
}

/// Finds the file and the editor.
///
/// # Errors
/// `input_required` when nobody can type or no editor is known, `usage`, `invalid_environment`.
pub fn resolve(host: &Host, json: bool) -> Result<Request> {
    let path = config::ours(host)?.path;
    let shown = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let needs = |message: &str, hint: String| {
        let path = path.to_string_lossy();
        Error::new(ErrorCode::InputRequired, message).detail("path", path).hint(hint)
    };
    if json || !host.interactive() {
        let message = "config edit opens an editor, and here is no terminal for one";
        return Err(needs(message, format!("write {shown} yourself, and then: agent-workspace config check")));
    }
    let mut named = None;
    for variable in [EnvVar::Visual, EnvVar::Editor] {
        if named.is_none() {
            named = host.var(variable)?.map(|command| (variable.name(), command));
        }
    }
    let Some((named_by, command)) = named else {
        let message = "neither VISUAL nor EDITOR says which editor is yours";
        return Err(needs(message, format!("EDITOR=nano agent-workspace config edit; or open it yourself: {shown}")));
    };
    let Some(editor) = words::split(&command).filter(|words| words.first().is_some_and(|word| !word.is_empty())) else {
        let message = format!("{named_by} is no command: {command:?}");
        return Err(Error::new(ErrorCode::InvalidEnvironment, message).hint(format!("export {named_by}=nano")));
    };
    if !path.exists() {
        return Err(usage(format!("there is no configuration in {} yet", path.display()))
            .detail("path", path.to_string_lossy())
            .hint("write one first: agent-workspace config init"));
    }
    Ok(Request { path, editor, named_by })
}

/// Opens it, waits, and looks it over.
///
/// # Errors
/// `usage` when the editor does not start or ends with an error.
pub async fn run(host: &Host, request: Request) -> Result<ConfigEditReport> {
    let Request { path, editor, named_by } = request;
    let before = std::fs::read(&path).ok();
    // What is typed to the editor is none of ours: it decides what ends it. What it starts with is as it was.
    let listened = [SignalKind::interrupt(), SignalKind::quit()].map(signal);
    let failed = |why: String| {
        usage(format!("the editor of {named_by} failed: {why}"))
            .detail("path", path.to_string_lossy())
            .hint(format!("name another: {named_by}=nano agent-workspace config edit"))
    };
    let (program, args) = editor.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    let mut command = tokio::process::Command::new(program);
    let status = tokens::keep_from(command.args(args).arg(&path)).status().await;
    let status = status.map_err(|error| failed(format!("{program}: {error}")))?;
    drop(listened);
    if !status.success() {
        return Err(failed(format!("{program} ended with {status}")));
    }
    Ok(ConfigEditReport {
        changed: std::fs::read(&path).ok() != before,
        problems: config::examine(host)?.problems,
        path: path.to_string_lossy().into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved<const N: usize>(env: [(&str, &str); N]) -> Result<Request> {
        resolve(&Host::fixed(&[], env).at_a_terminal(), false)
    }

    #[test]
    fn the_editor_is_a_command_with_its_arguments() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let config = ("AGENT_WORKSPACE_CONFIG", file.path().to_str().unwrap());
        let request = resolved([config, ("VISUAL", "code --wait"), ("EDITOR", "vi")]).unwrap();
        assert_eq!((request.editor, request.named_by), (vec!["code".to_owned(), "--wait".to_owned()], "VISUAL"));
        assert_eq!(resolved([config, ("VISUAL", ""), ("EDITOR", "vi")]).unwrap().named_by, "EDITOR");
        assert_eq!(resolved([config]).unwrap_err().code(), ErrorCode::InputRequired);
        for broken in ["'vi", " ", "''"] {
            assert_eq!(resolved([config, ("EDITOR", broken)]).unwrap_err().code(), ErrorCode::InvalidEnvironment);
        }
    }

    #[test]
    fn who_cannot_type_is_told_where_the_file_is() {
        let env = [("AGENT_WORKSPACE_CONFIG", "/a/it's"), ("EDITOR", "vi")];
        for error in [
            resolve(&Host::fixed(&[], env), false).unwrap_err(),
            resolve(&Host::fixed(&[], env).at_a_terminal(), true).unwrap_err(),
        ] {
            assert_eq!(error.code(), ErrorCode::InputRequired);
            assert!(error.hint_text().unwrap().contains(r"'/a/it'\''s'"), "{error:?}");
        }
        let absent = resolved(env).unwrap_err();
        assert_eq!(absent.hint_text(), Some("write one first: agent-workspace config init"));
    }
}
