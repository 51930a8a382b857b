import { basename } from 'node:path'
import type { Command } from 'commander'
import { type ScanSnippets, scanSnippets } from '../../core/scan/snippets.ts'
import type { CommitHash } from '../../shared/model/repository.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { integerBetween, oneOf } from '../input/options.ts'
import { readText } from '../input/readText.ts'
import {
  commitHash,
  type RefOptions,
  type RepositoryOptions,
  refOf,
  repositoryInput,
  tokenOf,
  withRef,
  withRepository,
} from '../input/repositories.ts'
import { printableLine } from '../output/printable.ts'
import { renderCommits, renderImport, renderRepositories, renderRepository } from '../output/repositories.ts'
import { addFindingCommands } from './repositoryFindings.ts'
import { addRepositoryRunCommands } from './repositoryRuns.ts'

export function addRepositoryCommands(program: Command, run: Runner): void {
  const repos = program
    .command('repos')
    .alias('repo')
    .alias('repositories')
    .description('repositories whose commits go to nodes')
  addRegistration(repos, run)
  addLooking(repos, run)
  addRepositoryRunCommands(repos, run)
  addFindingCommands(repos, run)
}

function addRegistration(repos: Command, run: Runner): void {
  withRepository(
    repos.command('add <name>').description('registers a repository; nothing is fetched or sent yet'),
  ).action((name: string, options: RepositoryOptions) => run((context) => add(context, name, options)))
  withRepository(
    repos
      .command('change <repository>')
      .description('changes what is given, and nothing else')
      .option('--name <name>', 'another name; plans go by the name')
      .option('--remove-token', 'takes the access token out of the vault'),
  ).action((reference: string, options: RepositoryOptions & ChangeOptions) =>
    run((context) => change(context, reference, options)),
  )
  repos
    .command('remove <repository>')
    .description('forgets it; the working copy, and what was delivered, stay')
    .action((repository: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(
            await client.repositories.remove({ repository }),
            () => `Repository ${printableLine(repository)} is removed.\n`,
          ),
        ),
      ),
    )
  repos
    .command('import <file>')
    .description('reads a configuration with "repository" and "vms"; - is standard input')
    .option('--name <name>', 'what the repository is called here', 'main')
    .option('--apply', 'takes it over: the repository, its nodes and its plans')
    .action((file: string, options: { readonly name: string; readonly apply?: boolean }) =>
      run((context) => importFile(context, file, options)),
    )
}

function addLooking(repos: Command, run: Runner): void {
  repos
    .command('list')
    .description('all repositories, and how they fare; 1 when one of them cannot be fetched')
    .action(() => run((context) => list(context)))
  repos
    .command('show <repository>')
    .description('one repository: settings, state, branches and tags')
    .action((repository: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.repositories.get({ repository }), renderRepository)),
      ),
    )
  repos
    .command('fetch <repository>')
    .description('asks the remote now; a working copy is pulled forward')
    .option('--force', 'takes a rewritten history; changes in a working copy that are not committed are lost')
    .action((repository: string, { force = false }: { readonly force?: boolean }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.repositories.refresh({ repository, force }), renderRepository),
        ),
      ),
    )
  withRef(
    repos.command('commits <repository>').description('what was fetched, newest first (default: the default branch)'),
  )
    .option('--after <commit>', 'those before this commit', commitHash)
    .option('--limit <n>', 'how many', integerBetween(1, 500), 50)
    .action((repository: string, options: RefOptions & CommitsOptions) =>
      run((context) => commits(context, repository, options)),
    )
  repos
    .command('snippet <repository>')
    .description('a text for the git server or its CI that refuses pushes with secrets')
    .option('--for <place>', Object.keys(places).join(', '), oneOf(['github', 'gitlab', 'hook']), 'github')
    .option('--tool <tool>', 'what searches there: lockstep or gitleaks', oneOf(['lockstep', 'gitleaks']), 'lockstep')
    .action((repository: string, options: SnippetChoice) => run((context) => snippet(context, repository, options)))
}

/** Where each text belongs. */
const places: Readonly<
  Record<'github' | 'gitlab' | 'hook', { readonly text: keyof ScanSnippets; readonly file: string }>
> = {
  github: { text: 'githubActions', file: '.github/workflows/secrets.yml' },
  gitlab: { text: 'gitlabCi', file: '.gitlab-ci.yml' },
  hook: { text: 'preReceive', file: 'hooks/pre-receive of the bare repository, executable' },
}

interface SnippetChoice {
  readonly for: keyof typeof places
  readonly tool: 'lockstep' | 'gitleaks'
}

interface ChangeOptions {
  readonly name?: string
  readonly removeToken?: boolean
}

interface CommitsOptions {
  readonly after?: CommitHash
  readonly limit: number
}

async function add(context: CliContext, name: string, options: RepositoryOptions): Promise<void> {
  const repository = repositoryInput(name, options)
  const token = await tokenOf(options)
  await context.withEngine({}, async (client) =>
    context.output.value(
      await client.repositories.add({ repository, ...(token === undefined ? {} : { token }) }),
      renderRepository,
    ),
  )
}

async function change(
  context: CliContext,
  repository: string,
  { name, removeToken = false, ...options }: RepositoryOptions & ChangeOptions,
): Promise<void> {
  const token = removeToken ? null : await tokenOf(options)
  await context.withEngine({}, async (client) => {
    const before = await client.repositories.get({ repository })
    const settings = repositoryInput(name ?? before.settings.name, options, before.settings)
    context.output.value(
      await client.repositories.change({ repository, settings, ...(token === undefined ? {} : { token }) }),
      renderRepository,
    )
  })
}

async function importFile(
  { withEngine, output }: CliContext,
  file: string,
  { name, apply = false }: { readonly name: string; readonly apply?: boolean },
): Promise<void> {
  const text = await readText(file, `The configuration ${file === '-' ? '' : basename(file)}`.trim())
  await withEngine({}, async (client) =>
    output.value(await client.repositories.import({ text, name, apply }), (found) => renderImport(found, apply)),
  )
}

async function list({ withEngine, output }: CliContext): Promise<ExitCode> {
  const repositories = await withEngine({}, (client) => client.repositories.list())
  output.value(repositories, renderRepositories)
  return repositories.some(({ state }) => state.diagnosis !== null) ? exitCodes.failed : exitCodes.ok
}

async function commits(
  { withEngine, output }: CliContext,
  repository: string,
  { after, limit, ...wanted }: RefOptions & CommitsOptions,
): Promise<void> {
  const ref = refOf(wanted)
  const query = { repository, limit, ...(ref === null ? {} : { ref }), ...(after === undefined ? {} : { after }) }
  await withEngine({}, async (client) => {
    const found = await client.repositories.commits(query)
    output.value(found, renderCommits)
    const last = found.at(-1)
    if (found.length === limit && last !== undefined) output.note(`There may be older ones: --after ${last.commit}`)
  })
}

async function snippet(
  { withEngine, output }: CliContext,
  repository: string,
  { for: place, tool }: SnippetChoice,
): Promise<void> {
  await withEngine({}, async (client) => {
    const { settings } = await client.repositories.get({ repository })
    const { text, file } = places[place]
    output.note(`This belongs into ${file}`)
    output.value({ file, text: scanSnippets({ tool, branch: settings.defaultBranch })[text] }, (value) => value.text)
  })
}
