import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createOpenSshAccess, type ManagedOpenSshAccess } from '../../../src/engine/ssh/openSshAccess.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../../support/trust.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

interface Ran {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(command: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: '/nonexistent' },
    })
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
    child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk))
    child.once('error', reject)
    child.once('close', (exitCode) =>
      resolve({
        exitCode,
        stdout: Buffer.concat(chunks.stdout).toString(),
        stderr: Buffer.concat(chunks.stderr).toString(),
      }),
    )
  })
}

describe.skipIf(sshdMissing !== null)('system ssh and rsync through the agent socket', () => {
  let trust: TestTrust
  let sshd: TestSshd
  let home: string
  let access: ManagedOpenSshAccess

  beforeEach(async () => {
    trust = await createTrust()
    sshd = await startSshd({ trustedUserCa: trust.publicKey, principals: ['sync-agent'] })
    home = await mkdtemp(join(tmpdir(), 'lockstep home '))
    access = await createOpenSshAccess({ directory: join(home, 'ssh'), identities: trust.identities })
  })
  afterEach(async () => {
    await access.close()
    await sshd.stop()
    await trust.stop()
    await rm(home, { recursive: true, force: true })
  })

  it('S0.39 ssh logs in with the certificate, with a terminal only when the purpose is one', async () => {
    const node = nodeFor(sshd)
    const automation = await access.prepare(node, 'automation')
    const [command = '', ...args] = automation.sshArguments
    expect(await run(command, [...args, 'echo in'])).toEqual({ exitCode: 0, stdout: 'in\n', stderr: '' })
    const refusedPty = await run(command, ['-tt', ...args, 'test -t 0'])
    expect(refusedPty.exitCode).not.toBe(0)
    const terminal = await access.prepare(node, 'terminal')
    const withPty = await run(command, ['-tt', ...terminal.sshArguments.slice(1), 'test -t 0'])
    expect(withPty.exitCode).toBe(0)
    expect(await sshd.log()).toContain(`ID lockstep/terminal/${node.id}`)
  })

  it.skipIf(!existsSync('/usr/bin/rsync'))(
    'S0.68 rsync reaches the node through the generated command, spaces in the home and all',
    async () => {
      const node = nodeFor(sshd)
      const { sshCommand, hostAlias } = await access.prepare(node, 'automation')
      const source = join(home, 'source tree')
      const target = join(home, 'target')
      await mkdir(source)
      await writeFile(join(source, 'file'), 'content')
      const result = await run('rsync', ['-a', '-s', '-e', sshCommand, `${source}/`, `${hostAlias}:${target}/`])
      expect(result).toEqual({ exitCode: 0, stdout: '', stderr: '' })
      expect(await readFile(join(target, 'file'), 'utf8')).toBe('content')
    },
  )

  it('uses the renewed certificate without a new configuration', async () => {
    const node = nodeFor(sshd)
    await access.prepare(node, 'automation')
    const [renewed] = await trust.identities.renew([node], { requestedBy: 'test', reason: 'renew' })
    const { sshArguments } = await access.prepare(node, 'automation')
    expect((await run('ssh', [...sshArguments.slice(1), 'true'])).exitCode).toBe(0)
    expect(await sshd.log()).toContain(`(serial ${renewed?.certificate.serial})`)
  })

  it('U3 stops at a changed host key before it logs in', async () => {
    const other = await startSshd({ trustedUserCa: trust.publicKey })
    const { sshArguments } = await access.prepare(nodeFor(sshd, { hostKeys: nodeFor(other).hostKeys }), 'automation')
    const result = await run('ssh', [...sshArguments.slice(1), 'true'])
    expect(result.exitCode).toBe(255)
    expect(result.stderr).toContain('Host key verification failed')
    expect(await sshd.log()).not.toContain('Accepted')
    await other.stop()
  })

  it('ssh reads the configuration as it was meant', async () => {
    const node = nodeFor(sshd, { user: 'sync', address: 'fe80::1%eth0', port: 2222 })
    const { sshArguments } = await access.prepare(node, 'automation')
    const parsed = await run('ssh', ['-G', ...sshArguments.slice(1)])
    const settings = new Map(
      parsed.stdout
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)] as const),
    )
    const wanted = {
      hostname: 'fe80::1%eth0',
      port: '2222',
      user: 'sync',
      hostkeyalias: node.id,
      stricthostkeychecking: 'true',
      batchmode: 'yes',
      identitiesonly: 'yes',
      forwardagent: 'no',
      permitlocalcommand: 'no',
      passwordauthentication: 'no',
      clearallforwardings: 'yes',
      identityagent: join(home, 'ssh', 'a1'),
    }
    for (const [name, value] of Object.entries(wanted)) expect(settings.get(name), name).toBe(value)
    expect(settings.get('kexalgorithms')).toMatch(/^curve25519-sha256,/)
    expect(settings.get('ciphers')).toMatch(/^aes128-gcm@openssh.com,/)
    expect(settings.has('proxycommand')).toBe(false)
    expect(settings.has('controlpath')).toBe(false)
  })

  it('S1.4 N13 no private key is in a file, in argv or in the environment of what we start', async () => {
    const node = nodeFor(sshd)
    const { sshArguments, sshCommand } = await access.prepare(node, 'automation')
    const child = spawn('ssh', [...sshArguments.slice(1), 'sleep 30'], { stdio: 'ignore' })
    const shown = await readFile(`/proc/${child.pid}/cmdline`, 'latin1')
    const environment = await readFile(`/proc/${child.pid}/environ`, 'latin1')
    child.kill()
    await new Promise((resolve) => child.once('exit', resolve))
    for (const text of [shown, environment, sshCommand, sshArguments.join(' ')])
      expect(text).not.toMatch(/PRIVATE KEY|openssh-key-v1|AAAA/)
  })

  it('lists and signs, and refuses every other request of the agent protocol', async () => {
    const node = nodeFor(sshd)
    await access.prepare(node, 'automation')
    const socketPath = join(home, 'ssh', 'a1')
    expect((await stat(join(home, 'ssh'))).mode & 0o777).toBe(0o700)
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
    const list = await run('ssh-add', ['-l']).catch(() => null)
    expect(list?.exitCode).not.toBe(0)
    const replies = await Promise.all(
      [17, 18, 19, 22, 23, 25, 27, 255].map((type) => ask(socketPath, Buffer.from([0, 0, 0, 1, type]))),
    )
    expect(replies.map((reply) => [...reply])).toEqual(replies.map(() => [0, 0, 0, 1, 5]))
    const listed = await ask(socketPath, Buffer.from([0, 0, 0, 1, 11]))
    expect(listed.readUInt32BE(5)).toBe(2)
  })

  it('leaves no private key and no certificate of a forgotten node behind', async () => {
    const node = nodeFor(sshd)
    await access.prepare(node, 'automation')
    await access.prepare(node, 'terminal')
    const privateMarkers = /PRIVATE KEY|openssh-key-v1/
    for (const name of await readdir(join(home, 'ssh'))) {
      const path = join(home, 'ssh', name)
      if ((await stat(path)).isSocket()) continue
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect(await readFile(path, 'utf8')).not.toMatch(privateMarkers)
    }
    await access.forget(node.id)
    expect(await readdir(join(home, 'ssh'))).toEqual([])
  })
})

function ask(path: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const chunks: Buffer[] = []
    socket.once('error', reject)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const all = Buffer.concat(chunks)
      if (all.length >= 4 && all.length >= 4 + all.readUInt32BE(0)) {
        socket.destroy()
        resolve(all)
      }
    })
    socket.write(request)
  })
}
