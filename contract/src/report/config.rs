//! The configuration.

use serde::Serialize;

words! {
    /// Whose configuration was read.
    pub enum ConfigSource {
        /// This launcher's own.
        Ours,
        /// That of agentworks, as this launcher's own is not there.
        Agentworks,
        /// None is there.
        None,
    }
}

words! {
    /// How much something matters.
    pub enum Severity {
        /// Commands that need it fail.
        Error,
        /// Nothing fails.
        Warning,
    }
}

report! {
    /// Something that is wrong with a configuration.
    pub struct ConfigProblem {
        /// How much it matters.
        pub severity: Severity,
        /// The key, from the top, such as `vm_templates.dev.apt`; null when it is no key's.
        pub key: Option<String>,
        /// Its line, the first is 1; null when it has none.
        pub line: Option<u64>,
        /// What is wrong, in one sentence.
        pub message: String,
        /// What may have been meant, or what to do; null when there is nothing to say.
        pub hint: Option<String>,
    }
}

report! {
    /// Names of templates, by kind; `default` is there always.
    pub struct ConfigTemplates {
        /// Of `vm create --template`.
        pub vm: Vec<String>,
        /// Of agents.
        pub agent: Vec<String>,
        /// Of `create --template`.
        pub workspace: Vec<String>,
        /// Of sessions.
        pub session: Vec<String>,
    }
}

report! {
    /// What is meant when neither a flag nor a variable says anything: what the configuration has, or what is built in.
    pub struct ConfigDefaults {
        /// Where workspaces live.
        pub backend: String,
        /// The VM of workspaces on VMs; null when none is.
        pub vm: Option<String>,
        /// Who makes VMs.
        pub platform: String,
        /// The VM host of new VMs; null when none is.
        pub vm_host: Option<String>,
        /// The image of new workspaces.
        pub image: String,
    }
}

report! {
    /// What `config check` found.
    pub struct ConfigCheckReport {
        /// Where the configuration is, or would be.
        pub path: String,
        /// Whether it is there.
        pub exists: bool,
        /// Whose was read.
        pub source: ConfigSource,
        /// The file that was read; null when none was.
        pub read: Option<String>,
        /// What is wrong with it, in the order of its lines.
        pub problems: Vec<ConfigProblem>,
        /// Keys of the configuration of agentworks that hold here.
        pub taken: Vec<String>,
        /// Keys of the configuration of agentworks that mean nothing here.
        pub ignored: Vec<String>,
        /// Templates that can be named.
        pub templates: ConfigTemplates,
        /// What is meant when nothing is said.
        pub defaults: ConfigDefaults,
    }
}

report! {
    /// What `config edit` did.
    pub struct ConfigEditReport {
        /// The configuration.
        pub path: String,
        /// Whether it is another than before.
        pub changed: bool,
        /// What is wrong with it now, in the order of its lines.
        pub problems: Vec<ConfigProblem>,
    }
}

report! {
    /// What `config init` did.
    pub struct ConfigInitReport {
        /// The configuration.
        pub path: String,
        /// Where what was there before is kept; null when nothing was.
        pub backup: Option<String>,
    }
}

report! {
    /// What a configuration may say.
    pub struct ConfigSampleReport {
        /// Where the configuration is, or would be.
        pub path: String,
        /// Every key with its default, in comments.
        pub sample: String,
    }
}
