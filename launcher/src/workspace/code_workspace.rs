//! The file by which VS Code opens a workspace on a VM, over SSH.

use serde_json::json;

/// What the file is called.
pub fn file_name(workspace: &str) -> String {
    format!("{workspace}.code-workspace")
}

/// What is in it. `alias` is the name by which the user's `ssh` reaches the VM, `path` a folder there.
pub fn text(alias: &str, path: &str) -> String {
    let authority = format!("ssh-remote+{alias}");
    let workspace = json!({
        "folders": [{ "uri": format!("vscode-remote://{authority}{}", encode(path)) }],
        "remoteAuthority": authority,
        "settings": {},
    });
    format!("{workspace:#}\n")
}

/// A path as a URI takes it.
fn encode(path: &str) -> String {
    path.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded + char::from(byte).encode_utf8(&mut [0; 4])
        } else {
            format!("{encoded}%{byte:02X}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_opens_the_folder_over_the_name_that_ssh_knows() {
        let text = text("awvm--dev", "/srv/agent-workspace/workspaces/agent-ws-web/work/o/r");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!({
                "folders": [
                    { "uri": "vscode-remote://ssh-remote+awvm--dev/srv/agent-workspace/workspaces/agent-ws-web/work/o/r" }
                ],
                "remoteAuthority": "ssh-remote+awvm--dev",
                "settings": {}
            })
        );
        assert!(text.ends_with("}\n") && text.contains("\n  \"folders\""));
        assert_eq!(file_name("agent-ws-web"), "agent-ws-web.code-workspace");
    }

    #[test]
    fn a_path_with_odd_characters_stays_one_path() {
        let text = text("a", "/work/a b#?%\"ä");
        assert!(text.contains("ssh-remote+a/work/a%20b%23%3F%25%22%C3%A4\""), "{text}");
    }
}
