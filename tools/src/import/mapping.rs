//! Names: which repositories are brought, and what each is called at the destination, where a name
//! has exactly two parts.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use oci::name::RepositoryName;

/// Names that are compared for two that would become one.
const NAMES_MAX: usize = 1_000_000;

/// A pattern of names: text in which one `*` stands for anything, slashes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    /// What follows the star, where there is one.
    after: Option<String>,
}

impl Pattern {
    /// What the star stands for; empty text where there is none and the name is the same.
    pub fn matched<'a>(&self, name: &'a str) -> Option<&'a str> {
        match &self.after {
            None => (name == self.before).then_some(""),
            Some(after) => name.strip_prefix(&*self.before)?.strip_suffix(&**after),
        }
    }

    /// The one name that it stands for, where it has no star.
    pub fn name(&self) -> Option<&str> {
        self.after.is_none().then_some(&self.before)
    }

    /// The text with something in place of the star.
    fn filled(&self, star: &str) -> String {
        format!(
            "{}{}",
            self.before,
            self.after.as_ref().map_or_else(String::new, |after| { format!("{star}{after}") })
        )
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let right = |part: &str| {
            part.bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"./_-".contains(&it))
        };
        let (before, after) = match text.split_once('*') {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        if text.is_empty() || !right(before) || !right(after.unwrap_or_default()) {
            return Err("write a repository's name, with one * for anything where you like".into());
        }
        Ok(Self { before: before.to_owned(), after: after.map(str::to_owned) })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.filled("*"))
    }
}

/// A rule: names like this become names like that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    from: Pattern,
    to: Pattern,
}

impl Rule {
    /// What the star stands for, where the rule is for this name. A rule without a slash is for
    /// names of one part: `*=library/*` leaves all others alone.
    fn matched<'a>(&self, source: &'a str) -> Option<&'a str> {
        let is_deep = |pattern: &Pattern| pattern.to_string().contains('/');
        if source.contains('/') && !is_deep(&self.from) {
            return None;
        }
        self.from.matched(source)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('=').ok_or("write SOURCE=NAMESPACE/NAME")?;
        let rule = Self { from: from.parse()?, to: to.parse()? };
        if rule.to.after.is_some() && rule.from.after.is_none() {
            return Err(format!("{from:?} has no *, so that {to:?} can have none"));
        }
        let sample = rule.to.filled("x");
        fitting(&sample).map_err(|_| format!("{to:?} is not NAMESPACE/NAME"))?;
        Ok(rule)
    }
}

/// A name that fits the destination.
fn fitting(name: &str) -> Result<RepositoryName, String> {
    let parsed = RepositoryName::parse(name).map_err(|error| error.to_string())?;
    match parsed.components().count() {
        2 => Ok(parsed),
        parts => Err(format!("{name} has {parts} parts where NAMESPACE/NAME has two")),
    }
}

/// All rules, and what they have named so far.
#[derive(Debug, Default)]
pub struct Mapping {
    rules: Vec<Rule>,
    named: HashMap<String, String>,
}

impl Mapping {
    /// These rules: of those that a name fits, the first counts.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, named: HashMap::new() }
    }

    /// What a repository is called at the destination.
    ///
    /// # Errors
    ///
    /// A sentence with a rule that would help, where its name has no place there or another one has
    /// that place.
    pub fn name(&mut self, source: &str) -> Result<RepositoryName, String> {
        RepositoryName::parse(source).map_err(|error| error.to_string())?;
        let rule = self.rules.iter().find_map(|rule| Some((rule, rule.matched(source)?)));
        let name = match rule {
            // One part remains one part.
            Some((rule, star)) => rule.to.filled(&star.replace('/', "-")),
            None => source.to_owned(),
        };
        let fitting = fitting(&name).map_err(|why| format!("{why}; {}", hint(source)))?;
        if let Some(other) = self.named.get(&name).filter(|other| *other != source) {
            return Err(format!("{other} is to become {name} as well; {}", hint(source)));
        }
        if self.named.len() < NAMES_MAX {
            self.named.insert(name, source.to_owned());
        }
        Ok(fitting)
    }
}

/// A rule that would help.
fn hint(source: &str) -> String {
    let name = match source.split_once('/') {
        Some((namespace, rest)) => format!("{namespace}/{}", rest.replace('/', "-")),
        None => format!("library/{source}"),
    };
    format!("give it another name, such as --map '{source}={name}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("acme/web", "acme/web", Some("")),
            ("acme/web", "acme/web2", None),
            ("acme/*", "acme/a/b", Some("a/b")),
            ("*", "web", Some("web")),
            ("*/web", "acme/web", Some("acme")),
            ("a*a", "a", None),
        ];
        for (pattern, name, expected) in cases {
            let pattern: Pattern = pattern.parse().unwrap();
            assert_eq!(pattern.matched(name), expected, "{pattern} {name}");
        }
        for text in ["", "a*b*", "A/b", "a b", "a:b"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_another_depth_are_given_two_parts() {
        let rules = ["team/old=team/new", "team/*=team/*", "*=library/*"];
        let mut mapping = Mapping::new(rules.iter().map(|it| it.parse().unwrap()).collect());
        for (source, expected) in [
            ("team/old", "team/new"),
            ("team/web", "team/web"),
            ("team/sub/web", "team/sub-web"),
            ("ubuntu", "library/ubuntu"),
            ("ubuntu", "library/ubuntu"),
            ("shop/web", "shop/web"),
        ] {
            assert_eq!(mapping.name(source).unwrap().as_str(), expected, "{source}");
        }
        let clash = mapping.name("team/sub-web").unwrap_err();
        assert!(clash.contains("team/sub/web is to become"), "{clash}");
    }

    #[test]
    fn what_fits_nowhere_is_told_with_a_rule_that_would_help() {
        let mut mapping = Mapping::default();
        assert_eq!(mapping.name("acme/web").unwrap().as_str(), "acme/web");
        for (source, hint) in
            [("ubuntu", "--map 'ubuntu=library/ubuntu'"), ("a/b/c", "--map 'a/b/c=a/b-c'")]
        {
            let why = mapping.name(source).unwrap_err();
            assert!(why.contains(hint), "{why}");
        }
        assert!(mapping.name("../x").is_err());
    }

    #[test]
    fn a_rule_that_names_nothing_is_refused() {
        for text in ["a", "a=b", "a=b/*", "*=b", "a/*=b/c/*", "*=*", "a=", "=a/b"] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
        assert!("a/b/*=b/c-*".parse::<Rule>().is_ok());
    }
}
