import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectSocket } from '../../../src/daemon/socketClient.ts'
import { homePaths } from '../../../src/platform/paths.ts'
import { waitFor } from '../../support/waitFor.ts'
import { makeHome, refused, runCli } from '../cli/harness.ts'

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
const withSystemd = it.skipIf(!hasSystemd)

let home: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ home, remove } = await makeHome())
})
afterEach(() => remove())

const service = (...args: string[]) => runCli(home, ['service', ...args])

describe('lockstep service', () => {
  withSystemd(
    'S1.11 S1.94 installs the unit under both names, and takes it away again (skipped where systemd is missing)',
    async () => {
      const root = join(home, 'root')
      // What systemd-sysusers needs of a file system to make a user in it.
      await mkdir(join(root, 'etc'), { recursive: true })
      const installed = await service('install', '--root', root)
      expect(installed).toMatchObject({ exitCode: 0, stderr: '' })
      expect(installed.stdout).toContain('/var/lib/lockstep')
      const units = join(root, 'etc/systemd/system')
      const text = await readFile(join(units, 'lockstep.service'), 'utf8')
      expect(text).toBe((await service('print-unit')).stdout)
      expect(await readlink(join(units, 'mynodeone-sync-controller.service'))).toMatch(/\/lockstep\.service$/)
      expect(await readlink(join(units, 'multi-user.target.wants/lockstep.service'))).toMatch(/\/lockstep\.service$/)
      expect(await readFile(join(root, 'etc/passwd'), 'utf8')).toContain(':/var/lib/lockstep:/bin/sh')
      expect((await service('status', '--root', root)).stdout).toMatch(/unit +installed[\s\S]*enabled +yes/)

      await writeFile(join(units, 'lockstep.service'), `${text}# edited\n`)
      expect(await service('status', '--root', root)).toMatchObject({
        exitCode: 1,
        stdout: expect.stringContaining('differs'),
      })
      expect(await service('uninstall', '--root', root)).toMatchObject({ exitCode: 0 })
      await expect(stat(join(units, 'lockstep.service'))).rejects.toThrow('ENOENT')
      await expect(readlink(join(units, 'mynodeone-sync-controller.service'))).rejects.toThrow('ENOENT')
      expect((await service('status', '--root', root)).stdout).toContain('missing')
    },
  )

  it('S1.94 a dry run shows every file and command and writes nothing', async () => {
    const root = join(home, 'root')
    const { stdout, exitCode } = await service('install', '--root', root, '--dry-run')
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`write ${root}/etc/systemd/system/lockstep.service`)
    expect(stdout).toContain('  | ExecStart=')
    expect(stdout).toContain(`run systemctl --root=${root} enable lockstep.service`)
    await expect(stat(root)).rejects.toThrow('ENOENT')
  })

  it.skipIf(spawnSync('test', ['-d', '/run/systemd/system']).status === 0)(
    'S1.94 says what else to do where systemd does not run (skipped where it does)',
    async () => {
      const { exitCode, error } = await refused(home, ['service', 'install'])
      expect(exitCode).toBe(4)
      expect(error.code).toBe('UNSUPPORTED')
      expect(error.message).toMatch(/systemd does not run here.*lockstep serve.*--root/)
    },
  )

  it('refuses names that are no system user', async () => {
    const { exitCode } = await refused(home, ['service', 'print-unit', '--user', 'root\nExecStartPre=/bin/sh'])
    expect(exitCode).toBe(2)
  })
})

describe('the unit', () => {
  withSystemd(
    'S1.11 S1.94 is taken by systemd and hardened to 2.0 at most (skipped where systemd-analyze is missing)',
    async () => {
      const unit = join(home, 'lockstep.service')
      await writeFile(unit, (await service('print-unit', '--user', 'daemon')).stdout)
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
      expect(stderr.split('\n').filter((line) => line.includes('lockstep'))).toEqual([])
      const args = ['security', '--offline=true', '--no-pager', unit]
      const security = execFileSync('systemd-analyze', args, { encoding: 'utf8' })
      const exposure = Number(/Overall exposure level for .*: ([\d.]+)/.exec(security)?.[1])
      expect(exposure).toBeGreaterThan(0)
      expect(exposure).toBeLessThanOrEqual(2)
    },
  )

  it('keeps keys out of core dumps and takes the key of the vault as an encrypted credential', async () => {
    const { stdout } = await service('print-unit')
    expect(stdout).toMatch(/^LimitCORE=0$/m)
    expect(stdout).toMatch(/^LoadCredentialEncrypted=lockstep-vault-key/m)
    expect(stdout).toMatch(/^Restart=on-failure$/m)
  })

  it('S1.11 S1.41 S1.95 S1.96 S1.98 its command serves, opens the vault by the credential, and writes marked lines without a login link', async () => {
    const { stdout: unit } = await service('print-unit')
    const command = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? ''
    // As systemd reads it: words, or what stands in quotes.
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) =>
      (quoted ?? plain ?? '').replace('/var/lib/lockstep', home),
    )
    const credentials = join(home, 'credentials')
    await mkdir(credentials)
    const key = randomBytes(32)
    await writeFile(join(credentials, 'lockstep-vault-key'), key)
    const { LOCKSTEP_HOME: _home, LOCKSTEP_PASSPHRASE_FILE: _file, ...environment } = process.env
    const daemon = spawn(words[0] ?? '', words.slice(1), {
      env: { ...environment, CREDENTIALS_DIRECTORY: credentials },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [daemon.stdout, daemon.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    const ended = new Promise((resolve) => daemon.once('exit', resolve))
    try {
      const served = await waitFor('the socket', () => connectSocket(homePaths(home)), { timeoutMs: 30_000 })
      const status = await waitFor('the open vault', async () => {
        const now = await served.client.system.status()
        return now.vault.unlocked && now
      })
      expect(status).toMatchObject({ host: 'daemon', vault: { kind: 'systemd-credential' } })
      await waitFor('the line of the start', () => output.includes('engine started'))
      // Both loops of S1.95: the hourly reconcile is planned, and the contract streams changes as they come.
      await waitFor('the reconcile', async () => (await served.client.system.status()).reconcile.nextAt !== null)
      await served.close()
    } finally {
      daemon.kill('SIGTERM')
    }
    expect(await ended).toBe(0)
    expect(output).toMatch(/^<6>\[INFO\] engine started /m)
    expect(output).not.toContain('/login?token=')
    for (const form of ['hex', 'base64'] as const) expect(output).not.toContain(key.toString(form))
  })

  it('a credential directory without our key leaves the vault to its passphrase', async () => {
    const credentials = join(home, 'credentials')
    await mkdir(credentials)
    await writeFile(join(home, 'passphrase'), 'canary-passphrase\n')
    const { exitCode, stdout } = await runCli(home, ['ca', 'init', '--json'], {
      env: { CREDENTIALS_DIRECTORY: credentials, LOCKSTEP_PASSPHRASE_FILE: join(home, 'passphrase') },
    })
    expect(exitCode, stdout).toBe(0)
    expect(await readFile(homePaths(home).vaultFile, 'utf8')).toContain('"passphrase"')
    await rm(credentials, { recursive: true })
  })
})
