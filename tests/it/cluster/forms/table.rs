//! The forms, and where it differs from client-go what is made of them.

/// What is taken here though client-go does not: nothing is lost by that.
pub(super) const MORE: [&str; 6] = [
    "ca-data-and-file",
    "ca-data-folded",
    "ca-data-with-spaces",
    "ca-with-insecure",
    "token-and-password",
    "token-data-with-newline",
];
/// What is not taken here though client-go does: without a user nobody is asked, for the file may be half written; and a server without
/// a scheme is one without TLS to client-go.
pub(super) const LESS: [&str; 5] = [
    "server-without-scheme",
    "user-fields-null",
    "user-missing",
    "user-unnamed",
    "users-null",
];

/// Name, cluster, user; in them `@NAME` stands for a text made for the test.
pub(super) const FORMS: [(&str, &str, &str); 54] = [
    ("plain-ca-file", "certificate-authority: ca.pem", "token: t"),
    (
        "plain-ca-data",
        "certificate-authority-data: @CA64",
        "token: t",
    ),
    (
        "ca-data-empty-beside-file",
        "certificate-authority-data: ''\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-data-null-beside-file",
        "certificate-authority-data: null\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-file-empty-beside-data",
        "certificate-authority: ''\n    certificate-authority-data: @CA64",
        "token: t",
    ),
    (
        "ca-data-literal-lines",
        "certificate-authority-data: |\n@CALINES",
        "token: t",
    ),
    (
        "ca-data-folded",
        "certificate-authority-data: >\n@CALINES",
        "token: t",
    ),
    (
        "ca-data-quoted-newline",
        "certificate-authority-data: \"@CA64\\n\"",
        "token: t",
    ),
    (
        "ca-data-quoted-crlf",
        "certificate-authority-data: \"@CA64\\r\\n\"",
        "token: t",
    ),
    (
        "ca-data-with-spaces",
        "certificate-authority-data: \" @CA64 \"",
        "token: t",
    ),
    (
        "ca-data-and-file",
        "certificate-authority: ca.pem\n    certificate-authority-data: @CA64",
        "token: t",
    ),
    (
        "ca-with-insecure",
        "certificate-authority: ca.pem\n    insecure-skip-tls-verify: true",
        "token: t",
    ),
    (
        "ca-insecure-alone",
        "insecure-skip-tls-verify: true",
        "token: t",
    ),
    (
        "ca-insecure-false",
        "insecure-skip-tls-verify: false\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-insecure-null",
        "insecure-skip-tls-verify: null\n    certificate-authority: ca.pem",
        "token: t",
    ),
    (
        "ca-missing-file",
        "certificate-authority: gone.pem",
        "token: t",
    ),
    (
        "ca-not-base64",
        "certificate-authority-data: '%%%'",
        "token: t",
    ),
    (
        "ca-not-pem",
        "certificate-authority-data: aGVsbG8=",
        "token: t",
    ),
    (
        "ca-bundle-bad-first",
        "certificate-authority: bundle-bad-first.pem",
        "token: t",
    ),
    (
        "ca-bundle-bad-last",
        "certificate-authority: bundle-bad-last.pem",
        "token: t",
    ),
    (
        "ca-bundle-text",
        "certificate-authority: bundle-text.pem",
        "token: t",
    ),
    (
        "ca-bundle-key",
        "certificate-authority: bundle-key.pem",
        "token: t",
    ),
    (
        "ca-bundle-twice",
        "certificate-authority: bundle-twice.pem",
        "token: t",
    ),
    (
        "ca-bundle-crlf",
        "certificate-authority: bundle-crlf.pem",
        "token: t",
    ),
    (
        "ca-bundle-no-newline",
        "certificate-authority: bundle-no-newline.pem",
        "token: t",
    ),
    (
        "tls-name-empty",
        "certificate-authority: ca.pem\n    tls-server-name: ''",
        "token: t",
    ),
    (
        "tls-name-null",
        "certificate-authority: ca.pem\n    tls-server-name: null",
        "token: t",
    ),
    (
        "tls-name-given",
        "certificate-authority: ca.pem\n    tls-server-name: 127.0.0.1",
        "token: t",
    ),
    (
        "proxy-empty",
        "certificate-authority: ca.pem\n    proxy-url: ''",
        "token: t",
    ),
    (
        "compression-off",
        "certificate-authority: ca.pem\n    disable-compression: true",
        "token: t",
    ),
    (
        "extension",
        "certificate-authority: ca.pem\n    extensions: [{name: x, extension: {a: [1]}}]",
        "token: t",
    ),
    (
        "extensions-null",
        "certificate-authority: ca.pem\n    extensions: null",
        "token: t",
    ),
    (
        "unknown-field",
        "certificate-authority: ca.pem\n    colour: blue",
        "token: t\n    colour: blue",
    ),
    (
        "token-empty-beside-file",
        "certificate-authority: ca.pem",
        "token: ''\n    tokenFile: token",
    ),
    (
        "token-file",
        "certificate-authority: ca.pem",
        "tokenFile: token",
    ),
    (
        "token-file-newline",
        "certificate-authority: ca.pem",
        "tokenFile: token-newline",
    ),
    (
        "token-file-spaces",
        "certificate-authority: ca.pem",
        "tokenFile: token-spaces",
    ),
    (
        "token-file-crlf",
        "certificate-authority: ca.pem",
        "tokenFile: token-crlf",
    ),
    (
        "token-file-empty",
        "certificate-authority: ca.pem",
        "tokenFile: token-empty",
    ),
    (
        "token-file-missing",
        "certificate-authority: ca.pem",
        "tokenFile: gone",
    ),
    (
        "token-and-file",
        "certificate-authority: ca.pem",
        "token: other\n    tokenFile: token",
    ),
    (
        "token-data-with-newline",
        "certificate-authority: ca.pem",
        "token: \"t\\n\"",
    ),
    (
        "token-and-password",
        "certificate-authority: ca.pem",
        "token: t\n    username: u\n    password: p",
    ),
    (
        "certificate-files",
        "certificate-authority: ca.pem",
        "client-certificate: node.pem\n    client-key: node.pem",
    ),
    (
        "certificate-data",
        "certificate-authority: ca.pem",
        "client-certificate-data: @NODE64\n    client-key-data: @NODE64",
    ),
    (
        "certificate-data-empty-beside-files",
        "certificate-authority: ca.pem",
        "client-certificate-data: ''\n    client-key-data: ''\n    client-certificate: node.pem\n    client-key: node.pem",
    ),
    (
        "certificate-data-null-beside-files",
        "certificate-authority: ca.pem",
        "client-certificate-data: null\n    client-key-data: null\n    client-certificate: node.pem\n    client-key: node.pem",
    ),
    (
        "certificate-data-lines",
        "certificate-authority: ca.pem",
        "client-certificate-data: |\n@NODELINES\n    client-key-data: |\n@NODELINES",
    ),
    (
        "certificate-data-quoted-newline",
        "certificate-authority: ca.pem",
        "client-certificate-data: \"@NODE64\\n\"\n    client-key-data: \"@NODE64\\n\"",
    ),
    (
        "certificate-data-key-file",
        "certificate-authority: ca.pem",
        "client-certificate-data: @NODE64\n    client-key: node.pem",
    ),
    (
        "certificate-without-key",
        "certificate-authority: ca.pem",
        "client-certificate: node.pem",
    ),
    (
        "certificate-and-token",
        "certificate-authority: ca.pem",
        "client-certificate: node.pem\n    client-key: node.pem\n    token: t",
    ),
    (
        "certificate-empty-and-token",
        "certificate-authority: ca.pem",
        "client-certificate: ''\n    client-key: ''\n    token: t",
    ),
    (
        "impersonation-empty",
        "certificate-authority: ca.pem",
        "token: t\n    as: ''\n    as-groups: []",
    ),
];

/// Name and whole text.
pub(super) const WHOLE: [(&str, &str); 17] = [
    (
        "whole-plain",
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "no-version-no-kind",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "names-missing",
        "contexts: [{context: {}}]\nclusters: [{cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{user: {token: t}}]\n",
    ),
    (
        "names-empty",
        "current-context: ''\ncontexts: [{name: '', context: {cluster: '', user: ''}}]\nclusters: [{name: '', cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: '', user: {token: t}}]\n",
    ),
    (
        "names-null",
        "current-context: c\ncontexts: [{name: c, context: {cluster: null, user: null}}]\nclusters: [{name: null, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: null, user: {token: t}}]\n",
    ),
    (
        "others-odd",
        "current-context: c\ncontexts: [{name: o}, {name: c, context: {cluster: k, user: u}}]\nclusters: [{name: o}, {name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: o}, {name: u, user: {token: t}}]\npreferences: {}\nextensions: null\n",
    ),
    (
        "context-missing",
        "current-context: x\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "cluster-missing",
        "current-context: c\ncontexts: [{name: c, context: {cluster: x, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "user-missing",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: x}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "user-unnamed",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "users-null",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: null\n",
    ),
    (
        "user-fields-null",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: null}]\n",
    ),
    (
        "server-missing",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "server-without-scheme",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@BARE', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "server-slash",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER/', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
    (
        "json",
        "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Config\",\n\t\"current-context\": \"c\",\n\t\"contexts\": [{\"name\": \"c\", \"context\": {\"cluster\": \"k\", \"user\": \"u\"}}],\n\t\"clusters\": [{\"name\": \"k\", \"cluster\": {\"server\": \"@SERVER\", \"certificate-authority\": \"ca.pem\"}}],\n\t\"users\": [{\"name\": \"u\", \"user\": {\"token\": \"t\"}}]\n}\n",
    ),
    (
        "byte-order-mark",
        "\u{feff}current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: '@SERVER', certificate-authority: ca.pem}}]\nusers: [{name: u, user: {token: t}}]\n",
    ),
];
