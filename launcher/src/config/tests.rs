//! What a whole configuration comes to.

use super::*;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const OURS: &str = ".config/agent-workspace/config.toml";
const OLDER: &str = ".config/agentworks/config.toml";

fn home(folder: &Path) -> Host {
    Host::fixed(&[], [("HOME", folder.to_str().unwrap())])
}

#[test]
fn without_a_file_nothing_is_set_and_everything_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::of(&home(folder.path())).unwrap();
    assert_eq!(config.defaults(), Defaults::default());
    assert_eq!(config.operator().ssh_config, folder.path().join(".ssh/config"));
    assert!(config.operator().ssh_config_dir && config.operator().ssh_private_key.is_none());
    assert_eq!(config.paths().local_workspaces, folder.path().join("workspaces"));
    assert_eq!(config.paths().vm_workspaces, crate::guest::vm::WORKSPACES);
    assert_eq!(config.history_limit(), 50_000);
    assert_eq!(config.vm_template(None).unwrap(), VmTemplate::default());
    let agent = config.agent_template(None).unwrap();
    assert_eq!((agent.shell.as_deref(), agent.dotfiles_destination.as_str()), (Some("bash"), "~/.dotfiles"));
    assert_eq!(config.admin().shell, None);
    let session = config.session_template(None).unwrap();
    assert_eq!((session.command, session.description.as_str()), (None, "Login shell"));
}

#[test]
fn what_is_built_in_is_read_by_the_rules_that_hold_for_everybody() {
    for section in SECTIONS {
        let set = section.keys.iter().filter(|key| matches!(key.unset, Unset::Is(_)));
        let set = set.filter(|key| key.name != "inherits").count();
        assert_eq!(built_in(section.name).len(), set, "{}", section.name);
    }
    let backend = text(Some(&built_in("defaults")), "backend");
    assert_eq!(backend.as_deref(), Some(crate::backend::BACKENDS[0]));
    let platform = text(Some(&built_in("defaults")), "platform");
    assert_eq!(platform.as_deref(), Some(crate::platform::PLATFORMS[0]));
}

#[test]
fn a_second_parent_takes_nothing_away_that_it_does_not_set() {
    let config = Config::from_text(
        "[agent_templates.zsh]\nshell = \"zsh\"\ngit_credentials = [\"a\"]\n\
         [agent_templates.more]\ngit_credentials = [\"b\", \"a\"]\n\
         [agent_templates.both]\ninherits = [\"zsh\", \"default\", \"more\"]\n\
         [git_credentials.a]\ntype = \"github\"\n[git_credentials.b]\ntype = \"azdo\"\norg = \"o\"\n",
    );
    let both = config.agent_template(Some("both")).unwrap();
    assert_eq!((both.shell.as_deref(), both.git_credentials), (Some("zsh"), vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(config.agent_template(Some("more")).unwrap().shell.as_deref(), Some("bash"), "built in, at the end");
    assert_eq!(config.git_credential("b").unwrap().org.as_deref(), Some("o"));
    assert_eq!(config.git_credential("c"), None);
}

#[test]
fn a_template_of_the_name_default_is_what_is_meant_when_none_is_named() {
    let text = "[workspace_templates.default]\nrepo = \"o/r\"\n[workspace_templates.b]\ninherits = [\"default\"]\nref = \"v1\"";
    let config = Config::from_text(text);
    assert_eq!(config.workspace_template(None).unwrap().repo.as_deref(), Some("o/r"));
    let b = config.workspace_template(Some("b")).unwrap();
    assert_eq!((b.repo.as_deref(), b.git_ref.as_deref()), (Some("o/r"), Some("v1")));
}

#[test]
fn a_session_template_with_nothing_but_an_environment_is_a_login_shell() {
    let config = Config::from_text("[session_templates.a.env]\nA = \"{{session_name}}\"\n");
    let a = config.session_template(Some("a")).unwrap();
    assert_eq!((a.command, a.restart_command), (None, None));
    assert_eq!(a.env, BTreeMap::from([("A".to_owned(), "{{session_name}}".to_owned())]));
}

#[test]
fn a_template_that_there_is_not_is_said_with_those_that_there_are() {
    let config = Config::from_text("[vm_templates.small]\n[vm_templates.big]\n");
    for error in [
        config.vm_template(Some("bgi")).unwrap_err(),
        config.workspace_template(Some("x")).unwrap_err(),
        config.agent_template(Some("x")).unwrap_err(),
        config.session_template(Some("x")).unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::TemplateNotFound);
        assert!(error.hint_text().unwrap().contains("default"), "{error:?}");
    }
    assert!(config.vm_template(Some("x")).unwrap_err().hint_text().unwrap().contains("default, big, small"));
}

#[test]
fn the_first_thing_that_is_wrong_is_the_error_with_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), OURS, "\n[defaults]\nbakend = \"host\"\nvm = 1\n");
    let error = Config::of(&home(folder.path())).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    let path = folder.path().join(OURS);
    let said = format!("{}:3: defaults.bakend: there is no such key; did you mean backend?", path.display());
    assert_eq!((error.message(), error.causes()), (said.as_str(), &["and 1 more".to_owned()][..]));
    assert!(error.hint_text().unwrap().contains("agent-workspace config check"));
    let body = error.body();
    assert_eq!((&body.details["key"], &body.details["line"]), (&"defaults.bakend".into(), &3.into()));
}

#[test]
fn of_the_older_systems_file_is_taken_what_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[user]\nssh_private_key = \"~/.ssh/k\"\nextra_ssh_public_keys = []\n\
                [defaults]\nplatform = \"lima\"\nvm_host = \"box\"\n\
                [vm_templates.default]\ncpus = 8\napt = [\"jq\"]\n\
                [azure]\nregion = \"x\"\n\
                [apt_packages.x]\napt = [\"y\"]\n";
    write(folder.path(), OLDER, text);
    let host = home(folder.path());
    let config = Config::of(&host).unwrap();
    assert_eq!(config.operator().ssh_private_key, Some(folder.path().join(".ssh/k")));
    assert_eq!((config.defaults().vm_host.as_deref(), config.defaults().platform), (Some("box"), None));
    assert_eq!(config.vm_template(None).unwrap().apt, ["jq"]);
    let examined = examine(&host).unwrap();
    assert_eq!((examined.exists, examined.source), (false, ConfigSource::Agentworks));
    assert_eq!(examined.taken, ["defaults.vm_host", "user.ssh_private_key", "vm_templates.default.apt"]);
    let ignored =
        ["apt_packages", "azure", "defaults.platform", "user.extra_ssh_public_keys", "vm_templates.default.cpus"];
    assert_eq!(examined.ignored, ignored);
    assert!(examined.problems.iter().all(|problem| problem.severity == Severity::Warning));
    assert!(examined.problems[0].message.contains("vm_templates.default.cpus"), "{:?}", examined.problems);
    assert_eq!(std::fs::read_to_string(folder.path().join(OLDER)).unwrap(), text, "and it stays as it is");
}

#[test]
fn the_older_systems_file_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let host = home(folder.path());
    for broken in
        ["a = ", "operator = 1", "[vm_templates.a]\ninherits = [\"a\"]", "[vm_templates.a]\ninherits = [\"b\"]"]
    {
        write(folder.path(), OLDER, broken);
        assert!(Config::of(&host).unwrap().vm_template(None).is_ok(), "{broken}");
        let problems = examine(&host).unwrap().problems;
        assert!(
            !problems.is_empty() && problems.iter().all(|problem| problem.severity == Severity::Warning),
            "{broken}"
        );
    }
    write(folder.path(), OURS, "");
    assert_eq!(examine(&host).unwrap().source, ConfigSource::Ours, "ours comes first, also when it says nothing");
    let named = Host::fixed(
        &[],
        [("HOME", folder.path().to_str().unwrap()), ("AGENT_WORKSPACE_CONFIG", "/nonexistent/c.toml")],
    );
    let examined = examine(&named).unwrap();
    assert_eq!(examined.source, ConfigSource::None, "who names a file means no other");
    assert!(examined.problems[0].message.contains("AGENT_WORKSPACE_CONFIG"));
}

#[test]
fn key_files_that_are_not_there_are_a_warning_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), OURS, "[operator]\nssh_private_key = \"~/none\"\n");
    let host = home(folder.path());
    assert!(Config::of(&host).is_ok());
    let problems = examine(&host).unwrap().problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(
        (problems[0].severity, problems[0].key.as_deref()),
        (Severity::Warning, Some("operator.ssh_private_key"))
    );
    write(folder.path(), "none", "key");
    assert_eq!(examine(&host).unwrap().problems, []);
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding_and_an_error_for_who_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(OURS)).unwrap();
    let host = home(folder.path());
    assert_eq!(Config::of(&host).unwrap_err().code(), ErrorCode::ConfigInvalid);
    let problems = examine(&host).unwrap().problems;
    assert_eq!((problems.len(), problems[0].severity), (1, Severity::Error));
    assert_eq!(failure(&host.home().unwrap(), &problems).unwrap().code(), ErrorCode::ConfigInvalid);
}

/// The tables of the page about the configuration.
fn tables() -> String {
    let rows = SECTIONS.iter().map(|section| {
        let header = section.named.map_or(String::new(), |_| ".NAME".to_owned());
        let keys = section.keys.iter().map(|key| {
            let takes = match key.kind {
                keys::Kind::Text(_) => "text",
                keys::Kind::Bool => "true or false",
                keys::Kind::Number(_) => "number",
                keys::Kind::List(_) | keys::Kind::Parents => "list of texts",
                keys::Kind::Variables => "table of texts",
            };
            let unset = match key.unset {
                Unset::Is(value) => format!("`{value}`"),
                Unset::Nothing(_) if key.required => "needed".to_owned(),
                Unset::Nothing(_) => String::new(),
            };
            let later = if key.used { "" } else { "°" };
            format!("| `{}`{later} | {takes} | {unset} | {} |\n", key.name, key.means)
        });
        let keys: String = keys.collect();
        format!(
            "`[{}{header}]`: {}\n\n| key | takes | default | what it is |\n|---|---|---|---|\n{keys}",
            section.name, section.means
        )
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_about_it_has_every_key() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once("<!-- generated: keys -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /generated -->").unwrap();
    let should = format!("{before}<!-- generated: keys -->\n{}<!-- /generated -->{after}", tables());
    if Host::os().named("UPDATE_DOCS").unwrap().is_some() {
        std::fs::write(&file, should).unwrap();
        return;
    }
    assert_eq!(page, should, "docs/config.md drifted; run UPDATE_DOCS=1 cargo test -p agent-workspace config::");
}
