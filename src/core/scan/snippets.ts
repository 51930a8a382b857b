/** What searches on a git server or in CI. `lockstep` is the command line, in PATH there. */
export type SnippetTool = 'lockstep' | 'gitleaks'

export interface SnippetOptions {
  readonly tool: SnippetTool
  /** Branch whose pushes and merge requests are searched. */
  readonly branch: string
}

/** Texts that refuse a push, so that a secret is stopped before there is a commit to sync (S2.34). */
export interface ScanSnippets {
  /** `hooks/pre-receive` of a bare repository; executable, POSIX sh and git. */
  readonly preReceive: string
  /** `.github/workflows/secrets.yml` */
  readonly githubActions: string
  /** Part of `.gitlab-ci.yml` */
  readonly gitlabCi: string
}

/** Searches the current directory. Both end with a code other than 0 when they find something, and say no values. */
const command: Readonly<Record<SnippetTool, string>> = {
  lockstep: 'lockstep repos scan --directory .',
  gitleaks: 'gitleaks dir --redact --no-banner --ignore-gitleaks-allow .',
}

export function scanSnippets({ tool, branch }: SnippetOptions): ScanSnippets {
  return {
    preReceive: preReceive(tool),
    githubActions: githubActions(tool, branch),
    gitlabCi: gitlabCi(tool, branch),
  }
}

/**
 * All new commits are looked at, not only the last: a secret that the next commit takes away is in the history all the same.
 * Files are written by `checkout-index`, which knows no `export-ignore`, each commit in a directory of its own.
 */
function preReceive(tool: SnippetTool): string {
  return `#!/bin/sh
# Refuses pushes that bring secrets. Lies as hooks/pre-receive in the bare repository on the server, executable.
set -eu
if ! command -v ${tool} >/dev/null 2>&1; then
  echo '${tool} is not installed here, so nothing can be searched for secrets: the push is refused.' >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/tree"

while read -r _old new _ref; do
  case $new in *[!0]*) ;; *) continue ;; esac
  git rev-parse -q --verify "$new^{commit}" >/dev/null || exit 1
  commits=$(git rev-list "$new" --not --all)
  for commit in $commits; do
    [ ! -e "$work/tree/$commit" ] || continue
    mkdir "$work/tree/$commit"
    GIT_INDEX_FILE=$work/index git read-tree "$commit"
    git diff-tree -r -m --root --no-commit-id --no-renames --name-only --diff-filter=AMT -z "$commit" >"$work/files"
    GIT_INDEX_FILE=$work/index GIT_WORK_TREE=$work/tree/$commit git -c core.symlinks=false checkout-index -q -f -z --stdin <"$work/files"
  done
done

cd "$work/tree"
if ! ${command[tool]} >&2; then
  echo 'The push is refused: it brings secrets, or could not be searched. The first directory above is the commit.' >&2
  exit 1
fi
`
}

function githubActions(tool: SnippetTool, branch: string): string {
  return `name: secrets
on:
  push:
    branches: [${yamlText(branch)}]
  pull_request:
    branches: [${yamlText(branch)}]
permissions:
  contents: read
jobs:
  secrets:
    # A runner on which ${tool} is installed.
    runs-on: self-hosted
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false
      - run: ${command[tool]}
`
}

function gitlabCi(tool: SnippetTool, branch: string): string {
  return `secrets:
  stage: test
  rules:
    - if: '$CI_PIPELINE_SOURCE == "merge_request_event"'
    - if: '$CI_COMMIT_BRANCH == ${yamlText(branch).replaceAll("'", "''")}'
  # A runner on which ${tool} is installed.
  script:
    - ${command[tool]}
`
}

/** JSON is YAML, and a text in the conditions of GitLab. */
function yamlText(text: string): string {
  return JSON.stringify(text)
}
