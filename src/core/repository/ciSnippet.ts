export const forges = ['github', 'gitlab'] as const
export type Forge = (typeof forges)[number]

/** One version everywhere: a newer one may find more than a job expects. */
const gitleaksVersion = '8.28.0'

/**
 * A job for the CI of a forge that searches every push for secrets (S2.34). What is found there is found before it is
 * here: the search before each sync stays all the same.
 */
export function ciSnippet(forge: Forge, branch: string): string {
  return forge === 'github' ? forGithub(branch) : forGitlab(branch)
}

/** YAML takes any branch name in single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const forGithub = (branch: string): string => `# .github/workflows/secrets.yml
name: secrets
on:
  push:
  pull_request:
    branches: [${quoted(branch)}]
permissions:
  contents: read
jobs:
  gitleaks:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
          persist-credentials: false
      - run: docker run --rm -v "$PWD:/repo:ro" ghcr.io/gitleaks/gitleaks:v${gitleaksVersion} git /repo --redact --verbose
`

const forGitlab = (branch: string): string => `# .gitlab-ci.yml
gitleaks:
  stage: test
  image:
    name: ghcr.io/gitleaks/gitleaks:v${gitleaksVersion}
    entrypoint: ['']
  variables:
    GIT_DEPTH: 0
  script:
    - gitleaks git . --redact --verbose
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event" && $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == ${JSON.stringify(branch)}
    - if: $CI_PIPELINE_SOURCE == "push"
`
