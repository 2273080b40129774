//! Functions: how long a body is and how many parameters it takes.

use crate::source::code_only;

const FUNCTION_LINES_MAX: usize = 60;
const IMPL_LINES_MAX: usize = 120;
const PARAMETERS_MAX: usize = 5;

/// What is too long, or takes too much, in one Rust file.
pub(crate) fn complaints(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut found = Vec::new();
    for (place, _) in code.match_indices("fn ") {
        let alone = !code[..place].ends_with(|it: char| it.is_alphanumeric() || it == '_');
        let Some(function) = alone.then(|| Function::read(&code, place)).flatten() else {
            continue;
        };
        let at = format!("{path}:{}: `{}`", function.line, function.name);
        if function.lines > FUNCTION_LINES_MAX {
            found.push(format!("{at} has {} lines, at most {FUNCTION_LINES_MAX}", function.lines));
        }
        if function.parameters > PARAMETERS_MAX {
            found.push(format!(
                "{at} takes {} parameters, at most {PARAMETERS_MAX}",
                function.parameters
            ));
        }
    }
    found.extend(long_impls(path, &code));
    found
}

/// `impl` blocks at the left margin that should be two. A trait's can't be.
fn long_impls(path: &str, code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !line.starts_with("impl") || line.contains(" for ") {
            continue;
        }
        let length = lines[at..].iter().position(|line| *line == "}").map_or(1, |end| end + 1);
        if length > IMPL_LINES_MAX {
            found.push(format!(
                "{path}:{}: impl block of {length} lines, at most {IMPL_LINES_MAX}",
                at + 1
            ));
        }
    }
    found
}

/// One function with a body, as it stands in the code.
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
    parameters: usize,
}

impl<'a> Function<'a> {
    /// Reads the function whose `fn ` stands at `place`; `None` for a type or a declaration.
    fn read(code: &'a str, place: usize) -> Option<Self> {
        let rest = &code[place + 3..];
        let name_end = rest.find(|it: char| !it.is_alphanumeric() && it != '_')?;
        let name = &rest[..name_end];
        let after_name = &rest[name_end..];
        let generics = if after_name.starts_with('<') { closing(after_name)? } else { 0 };
        let list = after_name[generics..].trim_start();
        if name.is_empty() || !list.starts_with('(') {
            return None;
        }
        let list_end = closing(list)?;
        let parameters = count_parameters(&list[1..list_end - 1]);
        let tail = &list[list_end..];
        let body = body_start(tail)?;
        let end = closing(&tail[body..])?;
        let whole = code.len() - place - (tail.len() - body - end);
        let lines = code[place..place + whole].matches('\n').count() + 1;
        let line = code[..place].matches('\n').count() + 1;
        Some(Self { name, line, lines, parameters })
    }
}

/// Where the body opens after a parameter list; `None` where the declaration ends without one.
fn body_start(tail: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, it) in tail.char_indices() {
        match it {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// The place after the bracket that closes the one at the start.
fn closing(text: &str) -> Option<usize> {
    let angled = text.starts_with('<');
    let (mut depth, mut before) = (0_i32, ' ');
    for (at, it) in text.char_indices() {
        match it {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '<' if angled => depth += 1,
            '>' if angled && before != '-' && before != '=' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
        before = it;
    }
    None
}

/// Parameters between the parentheses, `self` apart.
fn count_parameters(list: &str) -> usize {
    let (mut depth, mut before) = (0_i32, ' ');
    let mut parts = vec![String::new()];
    for it in list.chars() {
        match it {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' && before != '=' => depth -= 1,
            _ => {}
        }
        if it == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(it);
        }
        before = it;
    }
    let is_self = |part: &str| {
        part.split([':', ' ', '&']).any(|word| word == "self") && !part.contains(": &")
    };
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty() && !is_self(part)).count()
}

#[test]
fn a_long_function_is_caught_wherever_it_stands() {
    let body = |lines: usize| "    let x = 1;\n".repeat(lines);
    let cases = [
        ("short", format!("fn a() {{\n{}}}\n", body(58)), 0),
        ("long", format!("fn a() {{\n{}}}\n", body(59)), 1),
        (
            "async in an impl",
            format!("impl A {{\n    pub async fn a(&self) -> u8 {{\n{}    }}\n}}\n", body(60)),
            1,
        ),
        (
            "generic",
            format!(
                "fn a<T: Fn(u8) -> u8>(t: T) -> [u8; 4]\nwhere\n    T: Send,\n{{\n{}}}\n",
                body(60)
            ),
            1,
        ),
        ("two short ones", format!("fn a() {{\n{}}}\nfn b() {{\n{}}}\n", body(40), body(40)), 0),
        ("a declaration", format!("trait A {{\n    fn a(&self, x: [u8; 2]);\n}}\n{}", body(90)), 0),
        ("a pointer type", format!("type A = fn (u8) -> u8;\nstatic B: u8 = 1;\n{}", body(90)), 0),
        ("a brace in a string", format!("fn a() {{\n    let s = \"}}\";\n{}}}\n", body(60)), 1),
    ];
    for (name, text, expected) in cases {
        let found = complaints("a.rs", &text);
        assert_eq!(found.len(), expected, "{name}: {found:?}");
    }
}

#[test]
fn too_many_parameters_are_caught() {
    let cases = [
        ("fn a(a: u8, b: u8, c: u8, d: u8, e: u8) {}", 0),
        ("fn a(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}", 1),
        ("fn a(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8) {}", 0),
        ("fn a(a: Map<u8, u8>, b: (u8, u8), c: impl Fn(u8, u8) -> u8, d: [u8; 2]) {}", 0),
        ("fn a<F: Fn(u8, u8)>(f: F, a: u8, b: u8, c: u8, d: u8, e: u8,) {}", 1),
    ];
    for (text, expected) in cases {
        assert_eq!(complaints("a.rs", text).len(), expected, "{text}");
    }
}

#[test]
fn a_long_impl_block_is_caught() {
    let lines = |count: usize| format!("impl A {{\n{}}}\n", "    const X: u8 = 1;\n".repeat(count));
    assert_eq!(complaints("a.rs", &lines(118)).len(), 0);
    assert_eq!(complaints("a.rs", &lines(119)).len(), 1);
}
