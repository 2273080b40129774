//! Routes: what the surfaces answer to must be what docs/api.md tells people.
//!
//! A surface lists its routes as `pub const ROUTES: &[(&str, &str)] = &[("GET, HEAD", "/v2/"), …];`
//! and its router is tested against that list; here the list is compared with the document, both
//! ways. The document shows routes in tables: methods in the first column, the path in the second.

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Every route of the `ROUTES` lists in these sources, as `METHOD /path`.
pub(crate) fn exported<'a>(sources: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut routes = Vec::new();
    for text in sources {
        for list in text.split("const ROUTES").skip(1) {
            let list = list.split_once("];").map_or(list, |(list, _)| list);
            let strings: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
            routes.extend(strings.chunks_exact(2).flat_map(|pair| each_method(pair[0], pair[1])));
        }
    }
    routes.sort();
    routes
}

/// Routes of the document: rows of tables whose second column is a path between backticks.
fn documented(document: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for line in document.lines().filter(|line| line.starts_with('|')) {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let (Some(methods), Some(path)) = (cells.next(), cells.next()) else { continue };
        let path = path.strip_prefix('`').and_then(|path| path.split('`').next());
        routes.extend(path.into_iter().flat_map(|path| each_method(methods, path)));
    }
    routes.sort();
    routes
}

/// `GET, HEAD` of a path as two routes; none where the words are no methods or no path.
fn each_method(methods: &str, path: &str) -> Vec<String> {
    let methods: Vec<&str> = methods.split(',').map(str::trim).collect();
    if !path.starts_with('/') || !methods.iter().all(|method| METHODS.contains(method)) {
        return Vec::new();
    }
    methods.iter().map(|method| format!("{method} {path}")).collect()
}

/// Routes that only one of the two knows.
pub(crate) fn differences(routes: &[String], document: &str) -> Vec<String> {
    let told = documented(document);
    let missing = routes.iter().filter(|route| !told.contains(route));
    let mut found: Vec<String> = missing.map(|it| format!("{it} is not described")).collect();
    let stale = told.iter().filter(|route| !routes.contains(route));
    found.extend(stale.map(|it| format!("{it} is described, but nothing answers it")));
    found
}

#[test]
fn a_route_that_is_not_described_is_caught() {
    let source = "/// Paths.\npub const ROUTES: &[(&str, &str)] = &[\n    \
                  (\"GET, HEAD\", \"/v2/\"),\n    \
                  (\"PUT\", \"/v2/{name}/x\"),\n];\n";
    let routes = exported([source].into_iter());
    assert_eq!(routes, ["GET /v2/", "HEAD /v2/", "PUT /v2/{name}/x"]);
    let whole = "| Methods | Path | What |\n|---|---|---|\n| GET, HEAD | `/v2/` | ping |\n\
                 | PUT | `/v2/{name}/x` | pushes `/elsewhere` |\n| `DENIED` | 403 | right |";
    assert!(differences(&routes, whole).is_empty(), "{:?}", differences(&routes, whole));
    let lacking = "| GET | `/v2/` | ping |\n| PUT | `/v2/{name}/x` | pushes |";
    assert_eq!(differences(&routes, lacking), ["HEAD /v2/ is not described"]);
    let stale = format!("{whole}\n| DELETE | `/v2/everything` | all |");
    assert_eq!(differences(&routes, &stale).len(), 1);
}
