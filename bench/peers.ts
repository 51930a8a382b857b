import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CertificateAuthority } from '../src/engine/ports.ts'
import { exec } from '../src/platform/exec.ts'
import { parsePublicKeyLine } from '../src/platform/openssh/publicKey.ts'
import type { FleetNode } from '../src/shared/model/node.ts'

/** A way an admin would bring one small file to many machines and have it read back. */
export interface Peer {
  readonly name: string
  /** Debian package with it. */
  readonly package: string
  readonly program: string
  /** Takes minutes: once, and only when asked for. */
  readonly slow?: boolean
  /** Does not reuse connections, so that there is no warm case. */
  readonly coldOnly?: boolean
  command(setup: PeerSetup): PeerCommand
}

interface PeerCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** How often the answer of a node that has the payload is in the output; default: its digest. */
  readonly counted?: RegExp
}

export interface PeerSetup {
  readonly directory: string
  readonly nodes: readonly FleetNode[]
  /** Client configuration, with or without connections that are kept. */
  readonly config: string
  readonly payload: string
  readonly digest: string
}

const parallel = '32'
const deadlineMs = 1_800_000

/** Writes beside, renames, and reads back: what is expected of ours. To a file of its own, so that ours finds no drift. */
const receive = 'cd "$HOME" && cat > peer.new && mv -f peer.new peer && sha256sum peer'
/** For those that do not hand on their standard input. */
const receiveInline = ({ payload }: PeerSetup): string =>
  `cd "$HOME" && echo ${Buffer.from(payload).toString('base64')} | base64 -d > peer.new && mv -f peer.new peer && sha256sum peer`

const addresses = ({ nodes }: PeerSetup): string[] => nodes.map(({ address }) => address)

export const peers: readonly Peer[] = [
  {
    name: `xargs -P ${parallel} ssh`,
    package: 'findutils',
    program: 'xargs',
    command: (setup) => ({
      command: 'xargs',
      args: ['-P', parallel, '-I{}', 'sh', '-c', `ssh -F ${setup.config} {} '${receive}' < ${setup.directory}/payload`],
      stdin: `${addresses(setup).join('\n')}\n`,
    }),
  },
  {
    name: 'pssh',
    package: 'pssh',
    program: 'parallel-ssh',
    command: (setup) => ({
      command: 'parallel-ssh',
      args: [
        ...['-p', parallel, '-t', '120', '-h', `${setup.directory}/hosts.list`, '-I', '-P'],
        ...['-x', `-F ${setup.config}`, receive],
      ],
      stdin: setup.payload,
    }),
  },
  {
    name: 'pdsh',
    package: 'pdsh',
    program: 'pdsh',
    command: (setup) => ({
      command: 'pdsh',
      args: ['-R', 'ssh', '-f', parallel, '-w', `^${setup.directory}/hosts.list`, receiveInline(setup)],
      env: { PDSH_SSH_ARGS: `-F ${setup.config} -l%u %h` },
    }),
  },
  {
    name: 'clush',
    package: 'clustershell',
    program: 'clush',
    command: (setup) => ({
      command: 'clush',
      args: [
        ...['--hostfile', `${setup.directory}/hosts.list`, '-f', parallel, '-o', `-F ${setup.config}`],
        ...['-L', receive],
      ],
      stdin: setup.payload,
    }),
  },
  {
    name: 'ansible raw',
    package: 'ansible-core',
    program: 'ansible',
    slow: true,
    command: (setup) => ansible(setup, ['-m', 'raw', '-a', receiveInline(setup)]),
  },
  {
    name: 'ansible copy',
    package: 'ansible-core',
    program: 'ansible',
    slow: true,
    command: (setup) => ({
      ...ansible(setup, ['-m', 'copy', '-a', `src=${setup.directory}/payload dest=~/peer`]),
      counted: /"checksum": "[0-9a-f]{40}"/g,
    }),
  },
  {
    name: 'ssh in a shell loop',
    package: 'openssh-client',
    program: 'ssh',
    slow: true,
    coldOnly: true,
    command: (setup) => ({
      command: 'sh',
      args: [
        '-c',
        `while read node; do ssh -F ${setup.config} "$node" '${receive}' < ${setup.directory}/payload; done < ${setup.directory}/hosts.list`,
      ],
    }),
  },
]

function ansible({ directory, config }: PeerSetup, words: readonly string[]): PeerCommand {
  return {
    command: 'ansible',
    args: ['all', '-i', `${directory}/hosts.list`, '-f', parallel, ...words],
    env: {
      ANSIBLE_SSH_ARGS: `-F ${config}`,
      ANSIBLE_HOST_KEY_CHECKING: 'True',
      ANSIBLE_LOCAL_TEMP: `${directory}/ansible`,
      ANSIBLE_REMOTE_TEMP: '~/.ansible',
      ANSIBLE_NOCOLOR: '1',
      ANSIBLE_PIPELINING: 'True',
      ANSIBLE_SSH_USETTY: 'False',
      LC_ALL: 'C.UTF-8',
    },
  }
}

/** Installs what is missing, where that can be done. @returns those that are there, and the names of the others */
export function availablePeers(wanted: readonly Peer[]): { readonly there: Peer[]; readonly missing: string[] } {
  const has = ({ program }: Peer): boolean => spawnSync('which', [program]).status === 0
  const packages = [...new Set(wanted.filter((peer) => !has(peer)).map((peer) => peer.package))]
  if (packages.length > 0 && process.getuid?.() === 0) {
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
    spawnSync('apt-get', install, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  }
  return {
    there: wanted.filter(has),
    missing: wanted.filter((peer) => !has(peer)).map(({ name, package: from }) => `${name} (Debian: ${from})`),
  }
}

/** What an admin would have: a key and its certificate in files, known hosts, and the cheaper key exchange. */
export async function preparePeers(
  authority: Pick<CertificateAuthority, 'sign'>,
  { directory, nodes }: Pick<PeerSetup, 'directory' | 'nodes'>,
): Promise<{ readonly warm: string; readonly cold: string }> {
  const key = join(directory, 'key')
  await exec({ command: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-f', key] })
  const [issued] = await authority.sign([
    {
      subjectPublicKey: parsePublicKeyLine(await readFile(`${key}.pub`, 'utf8')).blob,
      keyId: 'bench',
      principals: ['sync-agent'],
      purpose: 'external',
      lifetimeSeconds: 8 * 3_600,
      requestedBy: 'bench',
      reason: 'bench',
    },
  ])
  await writeFile(`${key}-cert.pub`, `${issued?.certificate}\n`)
  const known = nodes.flatMap((node) =>
    node.hostKeys.map((pin) => `[${node.address}]:${node.port} ${pin.keyType} ${pin.publicKey}\n`),
  )
  await writeFile(join(directory, 'known_hosts'), known.join(''))
  await writeFile(join(directory, 'hosts.list'), nodes.map(({ address }) => `${address}\n`).join(''))
  const ports = nodes.flatMap(({ address, port, user }) => [`Host ${address}`, `  Port ${port}`, `  User ${user}`])
  const common = [
    'Host *',
    `  IdentityFile ${key}`,
    `  CertificateFile ${key}-cert.pub`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${directory}/known_hosts`,
    '  StrictHostKeyChecking yes',
    '  BatchMode yes',
    '  KexAlgorithms curve25519-sha256',
    '  LogLevel ERROR',
  ]
  const kept = ['  ControlMaster auto', `  ControlPath ${directory}/m/%h`, '  ControlPersist 900']
  const files = { warm: join(directory, 'warm'), cold: join(directory, 'cold') }
  await exec({ command: 'mkdir', args: [join(directory, 'm')] })
  await writeFile(files.warm, `${[...ports, ...common, ...kept].join('\n')}\n`)
  await writeFile(files.cold, `${[...ports, ...common].join('\n')}\n`)
  return files
}

/** Ends the masters that were kept. */
export async function closePeers(setup: Pick<PeerSetup, 'directory' | 'nodes' | 'config'>): Promise<void> {
  await exec({
    command: 'xargs',
    args: ['-P', '16', '-I{}', 'ssh', '-F', setup.config, '-O', 'exit', '{}'],
    stdin: setup.nodes.map(({ address }) => `${address}\n`).join(''),
    okExitCodes: 'any',
    timeoutMs: deadlineMs,
  })
}

/** @returns wall time in milliseconds, when every node has answered with what was sent. @throws when one has not */
export async function runPeer(peer: Peer, setup: PeerSetup): Promise<number> {
  await writeFile(join(setup.directory, 'payload'), setup.payload)
  const { counted = new RegExp(setup.digest, 'g'), ...request } = peer.command(setup)
  const startedMs = performance.now()
  const result = await exec({
    ...request,
    okExitCodes: 'any',
    timeoutMs: deadlineMs,
    maxOutputBytes: 256 * 1024 * 1024,
  })
  const wallMs = performance.now() - startedMs
  const proven = result.stdout.match(counted)?.length ?? 0
  if (proven !== setup.nodes.length) {
    const said = `${result.stderr}\n${result.stdout}`.trim().slice(0, 500)
    throw new Error(`${peer.name} reached ${proven} of ${setup.nodes.length} nodes: ${said}`)
  }
  return wallMs
}
