//! How to mend what an error of the launcher's says: one command to paste.

use crate::error::Error;

/// The command that mends it, as the hint says it, or where that only looks, by what is known of the engine. One that
/// looks is better than none.
pub(super) fn of(error: &Error) -> Option<String> {
    let said = error.hint_text().and_then(command_in);
    let mends = said.clone().filter(|command| !only_looks(command));
    mends.or_else(|| start_of_engine(error)).or_else(|| another_engine(error)).or(said)
}

fn only_looks(command: &str) -> bool {
    ["curl ", "docker --host ", "docker context ls", "journalctl ", "ssh "].iter().any(|look| command.starts_with(look))
}

/// How to start an engine that is this machine's own.
fn start_of_engine(error: &Error) -> Option<String> {
    let details = error.body().details;
    let said = |name: &str| details.get(name)?.as_str().map(str::to_owned);
    let (address, source) = (said("address")?, said("address_source")?);
    let command = match (address.as_str(), source.as_str()) {
        ("unix:///var/run/docker.sock" | "unix:///run/docker.sock", _) => "sudo systemctl start docker",
        (address, "the only socket found") if address.contains("podman") => "systemctl --user start podman.socket",
        (_, "the only socket found") => "systemctl --user start docker",
        _ => return None,
    };
    Some(command.to_owned())
}

/// How to come to the default engine, when another one was named that is not there.
fn another_engine(error: &Error) -> Option<String> {
    match error.body().details.get("address_source")?.as_str()? {
        "DOCKER_HOST" => Some("unset DOCKER_HOST".to_owned()),
        source if source.starts_with("docker context") => Some("docker context use default".to_owned()),
        _ => None,
    }
}

/// The command in a hint, to be pasted: what stands after a colon, or the whole hint when it is one. Hints name another
/// way after a semicolon and go on in words after `, then`.
fn command_in(hint: &str) -> Option<String> {
    let is_command = |text: &str| {
        let program = text.split(' ').next().unwrap_or_default();
        ["agent-workspace", "curl", "docker", "export", "journalctl", "ssh", "sudo", "unset"].contains(&program)
    };
    let said =
        hint.split(": ").flat_map(|part| part.split("; ")).map(|part| part.split(", then ").next().unwrap_or(part));
    said.map(str::trim).find(|part| is_command(part)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::ErrorCode;

    use super::*;

    #[test]
    fn the_command_in_a_hint_is_found() {
        for (hint, command) in [
            ("start it: sudo systemctl start docker", Some("sudo systemctl start docker")),
            ("unset AGENT_ENV_IMAGE", Some("unset AGENT_ENV_IMAGE")),
            ("unset DOCKER_CONTEXT; or see what there is: docker context ls", Some("unset DOCKER_CONTEXT")),
            (
                "join the group: sudo usermod -aG docker \"$USER\", then log in again",
                Some("sudo usermod -aG docker \"$USER\""),
            ),
            ("start it, or say another address; this one is from DOCKER_HOST", None),
        ] {
            assert_eq!(command_in(hint).as_deref(), command, "{hint}");
        }
    }

    #[test]
    fn an_engine_that_is_lost_is_mended_and_not_looked_at() {
        let system = "unix:///var/run/docker.sock";
        for (address, source, fix) in [
            (system, "default", "sudo systemctl start docker"),
            (system, "DOCKER_HOST", "sudo systemctl start docker"),
            ("unix:///home/me/.docker/run/docker.sock", "the only socket found", "systemctl --user start docker"),
            ("unix:///run/user/1/podman/podman.sock", "the only socket found", "systemctl --user start podman.socket"),
            ("tcp://far:2375", "DOCKER_HOST", "unset DOCKER_HOST"),
            ("ssh://far", "docker context \"far\"", "docker context use default"),
        ] {
            for look in ["curl --unix-socket /x http://engine/_ping", "docker --host tcp://far version", "ssh far x"] {
                let lost = Error::new(ErrorCode::EngineUnavailable, "the connection was lost")
                    .detail("address", address)
                    .detail("address_source", source)
                    .hint(format!("check it: {look}"));
                assert_eq!(of(&lost).as_deref(), Some(fix), "{address} {source}");
            }
        }
        let refused = Error::new(ErrorCode::EngineError, "x").hint("see the engine's log: journalctl -u docker");
        assert_eq!(of(&refused).as_deref(), Some("journalctl -u docker"));
    }
}
