import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeInput, OfferedHostKey } from '../../shared/model/node.ts'
import type { CliContext } from '../context.ts'

interface HostKeyChoice {
  readonly client: EngineClient
  readonly node: NodeInput
  /** Fingerprints a person has compared; undefined when none were given. */
  readonly accepted: readonly string[] | undefined
}

/**
 * The keys to trust on first contact: those whose fingerprints were given, or those a person at the terminal says yes
 * to. Never any other.
 *
 * @throws AppError PRECONDITION_FAILED when nobody can be asked or the person says no, CONFLICT when a given one is not offered
 */
export async function chooseHostKeys(
  context: CliContext,
  { client, node, accepted }: HostKeyChoice,
): Promise<OfferedHostKey[]> {
  const { offered } = await client.nodes.probeHostKey({ address: node.address, port: node.port })
  if (accepted !== undefined) return accepted.map((fingerprint) => findOffered(fingerprint, offered, node))
  if (context.confirm === null) throw undecided(node, offered)
  context.output.note(`${node.name} (${node.address}:${node.port}) offers\n${describe(offered)}`)
  if (
    await context.confirm(
      `Is this what the node itself shows? Trust ${offered.length === 1 ? 'this key' : 'these keys'}?`,
    )
  )
    return offered
  throw new AppError('PRECONDITION_FAILED', 'The host key was not accepted; nothing was registered.', {
    data: dataOf(offered),
  })
}

const describe = (offered: readonly OfferedHostKey[]): string =>
  offered.map((key) => `  ${key.keyType} ${key.fingerprint}`).join('\n')

const dataOf = (offered: readonly OfferedHostKey[]): Readonly<Record<string, unknown>> => ({
  offered: offered.map(({ keyType, fingerprint, banner }) => ({ keyType, fingerprint, banner })),
})

function findOffered(fingerprint: string, offered: readonly OfferedHostKey[], node: NodeInput): OfferedHostKey {
  const found = offered.find((key) => key.fingerprint === fingerprint)
  if (found !== undefined) return found
  throw new AppError(
    'CONFLICT',
    `${node.name} does not offer the key ${fingerprint}; it offers\n${describe(offered)}`,
    { data: dataOf(offered) },
  )
}

function undecided(node: NodeInput, offered: readonly OfferedHostKey[]): AppError {
  return new AppError(
    'PRECONDITION_FAILED',
    `${node.name} (${node.address}:${node.port}) offers\n${describe(offered)}\n` +
      'Compare it on the node (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then repeat with --accept-host-key SHA256:…',
    { data: dataOf(offered) },
  )
}
