# What a developer types. Every recipe is a short name for a command that also works without `just`.

# The recipes
default:
    @just --list

# Everything that must hold before a commit: format, lints, tests, documentation, examples
check:
    .ci/check

# What continuous integration runs: the README's two commands and every check
ci:
    .ci/run

# Format the code
fmt:
    cargo fmt --all

# Unit, integration and documentation tests of both crates
test *args:
    CALLBOARD_NETWORK=loopback cargo test {{args}}

# Each feature of the library alone compiles without a warning; for a scheduled run, not part of `check`
features *names:
    .ci/features {{names}}

# The documentation of both crates, warnings denied
docs:
    .ci/check docs

# The tests over the Rust Book and the PostgreSQL manual; gets the manuals or says how
manuals:
    .ci/manuals

# Licences, advisories, banned crates and sources of all dependencies (needs cargo-deny)
deny:
    @command -v cargo-deny >/dev/null || { echo "cargo-deny is missing; a prebuilt one: https://github.com/EmbarkStudios/cargo-deny/releases" >&2; exit 1; }
    cargo deny check

# The questions of evals/ against both manuals, beside the baseline
eval *args:
    cargo run --release --example score -- {{args}}

# The actor core beside its yardsticks, as a Markdown table; `just bench ask tell` measures only these
bench *args:
    cargo bench -p callboard-benches -- {{args}}
