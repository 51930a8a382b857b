import { spawnSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSshd, type TestSshd } from '../../support/sshd.ts'

/** A control plane's machine as an operator sees it: a real sshd, and an ssh with the operator's own configuration. */
export interface RemoteRig {
  readonly sshd: TestSshd
  readonly directory: string
  /** `PATH` with the operator's `ssh`, for a command of theirs. */
  readonly environment: Readonly<Record<string, string>>
  /** Lines of the operator's configuration for the host `control`, in the place of the usual ones. */
  configure(changes: Readonly<Record<string, string>>): Promise<void>
  /** The host keys the operator trusts. */
  trust(lines: readonly string[]): Promise<void>
  dispose(): Promise<void>
}

export async function makeKey(path: string): Promise<string> {
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path])
  if (made.status !== 0) throw new Error(`ssh-keygen failed: ${made.stderr}`)
  return (await readFile(`${path}.pub`, 'utf8')).trim()
}

/** The key may do what the guide says it needs, and nothing more. @param extraConfig of sshd_config */
export async function startRemoteRig(extraConfig: readonly string[] = []): Promise<RemoteRig> {
  const directory = await mkdtemp(join(tmpdir(), 'ls-remote-'))
  const publicKey = await makeKey(join(directory, 'key'))
  const sshd = await startSshd({ authorizedKeys: [`restrict,port-forwarding ${publicKey}`], extraConfig })
  const usual = {
    HostName: sshd.address,
    Port: String(sshd.port),
    User: sshd.user,
    IdentityFile: join(directory, 'key'),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: join(directory, 'known_hosts'),
    GlobalKnownHostsFile: 'none',
  }
  const configure = async (changes: Readonly<Record<string, string>>): Promise<void> => {
    const lines = Object.entries({ ...usual, ...changes }).map(([name, value]) => `  ${name} ${value}`)
    await writeFile(join(directory, 'config'), `Host control\n${lines.join('\n')}\n`)
  }
  const trust = (lines: readonly string[]): Promise<void> =>
    writeFile(join(directory, 'known_hosts'), lines.map((line) => `[${sshd.address}]:${sshd.port} ${line}\n`).join(''))
  await configure({})
  await trust(sshd.hostKeys)
  // OpenSSH reads the configuration of the account, not of HOME: this is how a test has one of its own.
  await mkdir(join(directory, 'bin'))
  await writeFile(join(directory, 'bin/ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F '${join(directory, 'config')}' "$@"\n`)
  await chmod(join(directory, 'bin/ssh'), 0o755)
  return {
    sshd,
    directory,
    environment: { PATH: `${join(directory, 'bin')}:${process.env.PATH}` },
    configure,
    trust,
    dispose: async () => {
      await sshd.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
