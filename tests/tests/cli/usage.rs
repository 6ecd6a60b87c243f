//! What was typed wrong is said in the form that was asked for, with exit code 2 and a way on.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use agent_workspace_tests::Launcher;

use crate::fails;

#[test]
fn every_wrong_command_line_is_a_usage_error_with_a_hint() {
    for args in [
        &["nosuch"][..],
        &["--bogus"],
        &["-x"],
        &["ls", "--bogus"],
        &["ls", "extra"],
        &["ls", "extra", "more"],
        &["capabilities", "extra"],
        &["describe"],
        &["describe", "a", "b"],
        &["describe", "a", "--user", "a b"],
        &["describe", "a", "--workdir", "../x"],
        &["parse-repo"],
        &["parse-repo", "o/r", "extra"],
        &["completion", "fish"],
        &["start"],
        &["stop", "--force", "a"],
        &["rm", "a", "--keep-volumes", "--volumes"],
        &["rm", "a", "--force=yes"],
        &["create"],
        &["create", "o/r", "extra"],
        &["create", "o/r", "--name"],
        &["create", "o/r", "--name", "a", "--name", "b"],
        &["create", "o/r", "--name", "--no-clone"],
        &["create", "o/r", "--if-exists", "maybe"],
        &["create", "o/r", "--cpus", "-1"],
        &["create", "o/r", "--memory=lots"],
        &["create", "o/r", "--tunnel"],
        &["create", "o/r", "--secrets-mount", "/x"],
        &["create", "o/r", "--codex-profile", "p"],
        &["create", "o/r", "--secrets-readonly"],
        &["create", "o/r", "--codex-profile", "p", "--no-secrets"],
        &["tunnel", "a"],
        &["doctor", "a"],
        &["prune", "a"],
        &["prune", "--older-than", "5w"],
        &["ls", "--timeout", "soon"],
        &["--supports", "a", "--requires", "b"],
        &["--version", "--supports", "a"],
    ] {
        let ran = Launcher::new(args.iter().copied()).json().run();
        let document = ran.document();
        assert_eq!((ran.code, document.error_code()), (2, "usage"), "{args:?}: {}", ran.stdout);
        assert!(document.at("/error/hint").is_string(), "{args:?} has no hint: {}", ran.stdout);
        assert!(!document.text("/error/message").contains('\n'), "{args:?}: one sentence");
        assert!(ran.stderr.starts_with("error: "), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_flag_without_its_value_does_not_hide_the_form_that_was_asked_for() {
    for flag in ["--timeout", "--supports", "--requires"] {
        for form in [&["--output=json"][..], &["--output", "json"]] {
            let ran = Launcher::new([flag].iter().chain(form)).run().expect(2);
            assert_eq!(ran.document().error_code(), "usage", "{flag} {form:?}");
        }
    }
}

#[test]
fn errors_of_a_command_in_a_group_are_of_that_command_or_of_none() {
    assert_eq!(fails(&["image", "build", "--bogus"], 2, "usage").text("/command"), "image build");
    assert_eq!(*fails(&["image", "nosuch"], 2, "usage").at("/command"), serde_json::Value::Null);
}

#[test]
fn a_flag_is_not_swallowed_as_the_value_of_another() {
    for args in [&["create", "--name", "--output", "json"][..], &["create", "o/r", "--image", "--output=json"]] {
        let ran = Launcher::new(args.iter().copied()).run().expect(2);
        assert_eq!(ran.document().error_code(), "usage", "{args:?}");
    }
}

#[test]
fn phrases_that_consumers_look_for_stay() {
    for (args, phrase) in [
        (&["create", "o/r", "--secrets-mount", "/x"][..], "--secrets-mount requires --secrets-dir"),
        (&["create", "o/r", "--codex-profile", "p"], "--codex-profile requires --secrets-dir"),
        (&["create", "o/r", "--tunnel"], "--output json requires --detach"),
        (&["tunnel", "a"], "--output json requires --detach"),
    ] {
        assert!(fails(args, 2, "usage").text("/error/message").contains(phrase), "{args:?}");
    }
}

#[test]
fn a_word_that_is_nearly_a_flag_or_command_is_suggested() {
    assert!(fails(&["ls", "--quit"], 2, "usage").text("/error/hint").contains("--quiet"));
    assert!(fails(&["creat"], 2, "usage").text("/error/hint").contains("create"));
}

#[test]
fn what_can_only_be_asked_is_an_error_that_names_the_flag() {
    let document = fails(&["create", "--no-clone"], 2, "input_required");
    assert_eq!(document.text("/error/details/flag"), "--name");
}

#[test]
fn what_this_version_cannot_do_is_unsupported_and_not_wrong() {
    for args in [&["create", "o/r", "--backend", "cloud"][..], &["ls", "--backend", "cloud"]] {
        fails(args, 9, "unsupported");
    }
    let ran = Launcher::new(["ls"]).json().env("AGENT_WORKSPACE_BACKEND", "cloud").run().expect(9);
    assert_eq!(ran.document().error_code(), "unsupported");
}

#[test]
fn variables_that_are_set_but_empty_are_named_where_that_is_surely_a_mistake() {
    for variable in ["AGENT_ENV_IMAGE", "CODEX_ENV_IMAGE"] {
        let ran = Launcher::new(["create", "o/r"]).json().env(variable, "").run().expect(2);
        let document = ran.document();
        assert_eq!(document.error_code(), "invalid_environment");
        assert!(document.text("/error/message").contains(variable), "{document:?}");
    }
}

#[test]
fn words_that_are_not_utf_8_are_refused_and_not_a_crash() {
    let broken = OsString::from_vec(b"a\xff".to_vec());
    for before in
        [&["describe"][..], &["create"], &["create", "o/r", "--name"], &["rm"], &["--supports"], &["schema"], &[]]
    {
        let launcher = Launcher::new(before.iter().copied()).arg(&broken);
        let ran = launcher.clone().json().run();
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert_eq!(ran.code, 2, "{before:?}: {}", ran.stdout);
        assert_eq!(ran.document().error_code(), "usage", "{before:?}");
        let _ = launcher.run().expect(2);
    }
}

#[test]
fn variables_that_are_not_utf_8_are_named() {
    let broken = OsString::from_vec(b"a\xff".to_vec());
    for variable in ["AGENT_WORKSPACE_PREFIX", "DOCKER_HOST", "GH_TOKEN", "AGENT_ENV_IMAGE", "GITHUB_HOST"] {
        let launcher = Launcher::new(["create", "o/r", "--name", "a"]).json().env(variable, &broken);
        let document = launcher.run().expect(2).document();
        assert_eq!(document.error_code(), "invalid_environment", "{variable}");
        assert!(document.text("/error/message").contains(variable), "{document:?}");
    }
}
