//! Scopes: what a client asks of a token, and what a token grants.
//!
//! Source: registry-protocol TK8; distribution's "Docker Registry v2 Bearer token specification".

use serde::{Deserialize, Serialize};

/// The most scopes one token is given; further ones are left out.
pub const SCOPES_MAX: usize = 100;

/// Some actions on one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `repository` or `registry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The repository's name, or `catalog`.
    pub name: String,
    /// `pull`, `push`, `delete` or `*`, of the registry also `search`, each once.
    pub actions: Vec<String>,
}

impl Scope {
    /// Reads `type[(class)]:name:actions`; the name may hold `:` itself, as a name with a port
    /// does.
    ///
    /// Returns `None` for a type or a form that is not known: it is left out of the token.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let kind = kind.split_once('(').map_or(kind, |(kind, _class)| kind);
        if !matches!(kind, "repository" | "registry") || name.is_empty() {
            return None;
        }
        let mut scope = Self { kind: kind.to_owned(), name: name.to_owned(), actions: Vec::new() };
        for action in actions.split(',').map(str::trim) {
            let is_known = matches!(action, "pull" | "push" | "delete" | "*")
                // docker's engine searches by a token for this.
                || (kind, action) == ("registry", "search");
            if is_known {
                scope.add(action);
            }
        }
        Some(scope)
    }

    /// Whether `action` is among the actions, or `*` is.
    pub fn covers(&self, action: &str) -> bool {
        self.actions.iter().any(|held| held == action || held == "*")
    }

    /// Whether `name` is the scope's own, or matches it where that ends with `*`.
    pub fn is_pattern_of(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.name,
        }
    }

    fn add(&mut self, action: &str) {
        if !self.actions.iter().any(|held| held == action) {
            self.actions.push(action.to_owned());
        }
    }
}

/// Reads scopes from query or form fields: several fields, or several in one, parted by spaces.
///
/// The same thing named twice comes out once, with the actions of both.
pub fn parse_all<'a>(fields: impl IntoIterator<Item = &'a str>) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    let parsed = fields.into_iter().flat_map(str::split_whitespace).filter_map(Scope::parse);
    for scope in parsed {
        let same = |kept: &&mut Scope| kept.kind == scope.kind && kept.name == scope.name;
        if let Some(kept) = scopes.iter_mut().find(same) {
            scope.actions.iter().for_each(|action| kept.add(action));
        } else if scopes.len() < SCOPES_MAX {
            scopes.push(scope);
        }
    }
    scopes
}

/// The scopes as one text, as a token answer and a challenge write them.
pub fn render(scopes: &[Scope]) -> String {
    let one = |scope: &Scope| format!("{}:{}:{}", scope.kind, scope.name, scope.actions.join(","));
    scopes.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Scope, parse_all, render};

    #[test]
    fn scopes_are_split_at_the_first_and_the_last_colon() {
        let cases = [
            ("repository:a/b:pull,push", Some("repository:a/b:pull,push")),
            ("repository(plugin):a/b:pull", Some("repository:a/b:pull")),
            ("repository:host:5000/a/b:pull", Some("repository:host:5000/a/b:pull")),
            ("registry:catalog:*", Some("registry:catalog:*")),
            ("registry:catalog:search", Some("registry:catalog:search")),
            ("repository:a/b:search", Some("repository:a/b:")),
            ("repository:a/b:pull,pull", Some("repository:a/b:pull")),
            ("repository:a/b:pull,fly", Some("repository:a/b:pull")),
            ("repository:a/b:", Some("repository:a/b:")),
            ("repository::pull", None),
            ("aliens:a/b:pull", None),
            ("repository", None),
            ("repository:a", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = Scope::parse(text).map(|scope| render(&[scope]));
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn scopes_come_in_one_field_or_in_several_and_merge() {
        let fields = ["repository:a/b:pull repository:c/d:pull", "repository:a/b:push x:y:z"];
        assert_eq!(render(&parse_all(fields)), "repository:a/b:pull,push repository:c/d:pull");
    }

    #[test]
    fn a_star_covers_every_action() {
        let scope = Scope::parse("repository:a/b:*").unwrap();
        assert!(scope.covers("pull") && scope.covers("delete"));
        assert!(!Scope::parse("repository:a/b:pull").unwrap().covers("push"));
    }

    #[test]
    fn a_name_that_ends_with_a_star_means_all_that_begin_so() {
        let cases = [
            ("org/*", "org/a", true),
            ("org/*", "organic/a", false),
            ("*", "org/a", true),
            ("org/a", "org/a", true),
            ("org/a", "org/ab", false),
        ];
        for (pattern, name, matches) in cases {
            let scope = Scope::parse(&format!("repository:{pattern}:pull")).unwrap();
            assert_eq!(scope.is_pattern_of(name), matches, "{pattern} {name}");
        }
    }
}
