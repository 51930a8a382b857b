import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDemoFleet, type DemoFleet } from '../../../src/demo/demoFleet.ts'
import { type ExecResult, exec } from '../../../src/platform/exec.ts'
import type { DemoNode, DemoStatus } from '../../../src/shared/model/demo.ts'

/** An authority and a certified key made by ssh-keygen, and a fleet that trusts it. */
export interface FleetUnderTest {
  readonly directory: string
  readonly fleet: DemoFleet
  readonly authority: string
  ssh(node: DemoNode, command: readonly string[], options?: SshOptions): Promise<ExecResult>
  /** Arguments of `ssh` up to and including the destination. */
  sshArguments(node: DemoNode): Promise<string[]>
  dispose(): Promise<void>
}

interface SshOptions {
  readonly stdin?: string
  readonly timeoutMs?: number
}

const keygen = (...args: string[]) => exec({ command: 'ssh-keygen', args, timeoutMs: 20_000 })

export async function makeAuthority(directory: string): Promise<string> {
  await keygen('-q', '-t', 'ed25519', '-N', '', '-C', 'test authority', '-f', join(directory, 'ca'))
  await keygen('-q', '-t', 'ed25519', '-N', '', '-f', join(directory, 'user'))
  await keygen(
    '-q',
    '-s',
    join(directory, 'ca'),
    '-I',
    'test',
    '-n',
    'sync-agent',
    '-V',
    '-1m:+8h',
    '-O',
    'clear',
    '-O',
    'permit-pty',
    join(directory, 'user.pub'),
  )
  return (await readFile(join(directory, 'ca.pub'), 'utf8')).trim()
}

export async function fleetUnderTest(): Promise<FleetUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "lockstep demo's "))
  const authority = await makeAuthority(directory)
  const fleet = createDemoFleet({ directory: join(directory, 'home', 'demo') })
  const sshArguments = async (node: DemoNode): Promise<string[]> => {
    const { user, hostKeys } = await fleet.describeForRegistration()
    const options = [
      'BatchMode=yes',
      'IdentitiesOnly=yes',
      'ConnectTimeout=20',
      'StrictHostKeyChecking=yes',
      'GlobalKnownHostsFile=/dev/null',
      'KexAlgorithms=curve25519-sha256',
      `KnownHostsCommand=/bin/echo ${node.name} ${hostKeys.get(node.name)}`,
      `HostKeyAlias=${node.name}`,
      'UserKnownHostsFile=/dev/null',
    ]
    return [
      '-F',
      '/dev/null',
      '-i',
      join(directory, 'user'),
      ...options.flatMap((option) => ['-o', option]),
      '-p',
      String(node.port),
      `${user}@${node.address}`,
    ]
  }
  return {
    directory,
    fleet,
    authority,
    sshArguments,
    ssh: async (node, command, { stdin, timeoutMs = 40_000 } = {}) =>
      exec({
        command: 'ssh',
        args: [...(await sshArguments(node)), ...command],
        timeoutMs,
        okExitCodes: 'any',
        ...(stdin === undefined ? {} : { stdin }),
      }),
    dispose: async () => {
      await fleet.down()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export function nodeNamed(status: DemoStatus, name: string): DemoNode {
  const node = status.nodes.find((each) => each.name === name)
  if (node === undefined) throw new Error(`no node ${name} among ${status.nodes.map((each) => each.name).join(' ')}`)
  return node
}
