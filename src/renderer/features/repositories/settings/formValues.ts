import { RepositoryInput } from '../../../../shared/model/repository.ts'

/** What stands in the fields: texts as they are written. */
export interface RepositoryFormValues {
  readonly name: string
  readonly remote: string
  readonly place: 'none' | 'here' | 'node'
  readonly directory: string
  readonly node: string
  readonly login: 'none' | 'key' | 'certificate' | 'token'
  readonly keyFile: string
  readonly tokenUser: string
  readonly hostKeys: string
  readonly defaultBranch: string
  readonly submodules: boolean
  readonly largeFiles: RepositoryInput['largeFiles']
  readonly depth: string
  readonly polled: boolean
  readonly pollSeconds: string
  readonly scanEnabled: boolean
  readonly scanTool: RepositoryInput['scan']['tool']
  readonly scanConfig: string
  readonly blocks: boolean
}

export const emptyRepositoryForm: RepositoryFormValues = {
  name: '',
  remote: '',
  place: 'none',
  directory: '',
  node: '',
  login: 'none',
  keyFile: '',
  tokenUser: 'git',
  hostKeys: '',
  defaultBranch: 'main',
  submodules: false,
  largeFiles: 'refuse',
  depth: '',
  polled: true,
  pollSeconds: '60',
  scanEnabled: true,
  scanTool: 'builtin',
  scanConfig: '',
  blocks: true,
}

export function formOf(settings: RepositoryInput): RepositoryFormValues {
  const { checkout, login, scan, depth, pollIntervalSeconds } = settings
  return {
    ...emptyRepositoryForm,
    name: settings.name,
    remote: settings.remote ?? '',
    place: checkout.kind,
    directory: checkout.kind === 'none' ? '' : checkout.directory,
    node: checkout.kind === 'node' ? checkout.node : '',
    login: login.kind,
    keyFile: login.kind === 'key' ? login.file : '',
    tokenUser: login.kind === 'token' ? login.user : 'git',
    hostKeys: settings.hostKeys.join('\n'),
    defaultBranch: settings.defaultBranch,
    submodules: settings.submodules,
    largeFiles: settings.largeFiles,
    depth: depth === null ? '' : String(depth),
    polled: pollIntervalSeconds !== null,
    pollSeconds: String(pollIntervalSeconds ?? 60),
    scanEnabled: scan.enabled,
    scanTool: scan.tool,
    scanConfig: scan.configPath ?? '',
    blocks: scan.blockOnSecrets,
  }
}

const orNull = (text: string): string | null => (text.trim() === '' ? null : text.trim())
/** Not a number stays what it is, so that the model says what is wrong with it. */
const numberOf = (text: string): number | string => (/^\d+$/.test(text.trim()) ? Number(text.trim()) : text)

function checkoutOf({ place, directory, node }: RepositoryFormValues): unknown {
  if (place === 'none') return { kind: place }
  if (place === 'here') return { kind: place, directory: directory.trim() }
  return { kind: place, node: node.trim(), directory: directory.trim() }
}

function loginOf({ login, keyFile, tokenUser }: RepositoryFormValues): unknown {
  if (login === 'key') return { kind: login, file: keyFile.trim() }
  return login === 'token' ? { kind: login, user: tokenUser.trim() } : { kind: login }
}

/** What a form means; whether it can be is for the model to say. */
function inputOf(values: RepositoryFormValues): unknown {
  return {
    name: values.name.trim(),
    remote: orNull(values.remote),
    checkout: checkoutOf(values),
    login: loginOf(values),
    hostKeys: values.hostKeys
      .split('\n')
      .map((line) => withoutHost(line.trim()))
      .filter((line) => line !== ''),
    defaultBranch: values.defaultBranch.trim(),
    submodules: values.submodules,
    largeFiles: values.largeFiles,
    depth: values.depth.trim() === '' ? null : numberOf(values.depth),
    pollIntervalSeconds: values.polled ? numberOf(values.pollSeconds) : null,
    scan: {
      enabled: values.scanEnabled,
      tool: values.scanTool,
      configPath: values.scanTool === 'builtin' ? null : orNull(values.scanConfig),
      blockOnSecrets: values.blocks,
    },
  }
}

/** Lines of `ssh-keyscan` and of known_hosts begin with the host; comments may end them. */
function withoutHost(line: string): string {
  if (line.startsWith('#')) return ''
  const words = line.split(/\s+/)
  const at = words.findIndex((word) => /^(?:ssh-|ecdsa-|sk-)/.test(word))
  return at === -1 ? line : words.slice(at, at + 2).join(' ')
}

export type FormField = keyof RepositoryFormValues | 'token'

/** Which field shows a problem of this part of the model. */
const fieldAt: Readonly<Record<string, FormField>> = {
  name: 'name',
  remote: 'remote',
  'checkout.directory': 'directory',
  'checkout.node': 'node',
  'login.file': 'keyFile',
  'login.user': 'tokenUser',
  hostKeys: 'hostKeys',
  defaultBranch: 'defaultBranch',
  depth: 'depth',
  pollIntervalSeconds: 'pollSeconds',
  'scan.configPath': 'scanConfig',
}

export type FormProblems = Readonly<Partial<Record<FormField, string>>>

export interface ReadForm {
  /** Null while something is wrong. */
  readonly input: RepositoryInput | null
  readonly problems: FormProblems
}

export function readForm(values: RepositoryFormValues): ReadForm {
  const parsed = RepositoryInput.safeParse(inputOf(values))
  const problems: Partial<Record<FormField, string>> = {}
  if (values.name.trim() === '') problems.name = 'It needs a name.'
  // Said by us: the rule of the model about it is asked only when all else is right.
  if (values.place === 'none' && values.remote.trim() === '')
    problems.remote = 'Without a checkout it needs a remote to fetch from.'
  if (values.login === 'token' && values.remote.trim() === '')
    problems.remote ??= 'A token needs the remote that it is for.'
  for (const { path, message } of parsed.error?.issues ?? []) {
    const field = fieldAt[path.slice(0, 2).map(String).join('.')] ?? fieldAt[String(path[0])]
    if (field !== undefined) problems[field] ??= sentence(message)
  }
  if (values.polled && !/^\d+$/.test(values.pollSeconds.trim())) problems.pollSeconds = 'Seconds, from 10 to 86400.'
  if (values.depth.trim() !== '' && !/^\d+$/.test(values.depth.trim()))
    problems.depth = 'A number of commits, or empty.'
  if (values.login === 'token' && values.remote.trim() !== '' && !values.remote.trim().startsWith('https://'))
    problems.login = 'A token works over https only.'
  const isRight = parsed.success && Object.keys(problems).length === 0
  return { input: isRight ? parsed.data : null, problems }
}

const sentence = (message: string): string =>
  `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`
