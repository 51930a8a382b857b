import { createHmac } from 'node:crypto'
import { chmod, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { webhookExample, webhookSecretFile } from '../../../src/core/registry/webhookExample.ts'
import { exec } from '../../../src/platform/exec.ts'
import { RegistryCheck, RegistrySave } from '../../../src/shared/contract/registry.ts'
import { RegistryRevision } from '../../../src/shared/model/registry.ts'
import { RegistrySource } from '../../../src/shared/model/registrySource.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type CliOptions, type Daemon, json, makeHome, refused, runCli, serveDaemon } from '../cli/harness.ts'

let place: Awaited<ReturnType<typeof makeHome>>
let daemon: Daemon
const cli = <T extends z.ZodType>(
  schema: T,
  args: readonly string[],
  options: CliOptions & { exitCode?: number } = {},
) => json(place.home, ['registry', ...args], schema, options)
const say = (args: readonly string[], options: CliOptions = {}) => runCli(place.home, ['registry', ...args], options)
const inHome = (name: string): string => join(place.home, name)

const demo = { subdomain: 'demo', ip: '100.64.0.7', port: 80, public: true }

beforeAll(async () => {
  place = await makeHome()
  await writeFile(inHome('passphrase'), 'a long enough passphrase\n', { mode: 0o600 })
  daemon = await serveDaemon(place.home, ['--port', '0'], {
    env: { LOCKSTEP_PASSPHRASE_FILE: inHome('passphrase') },
  })
})
afterAll(async () => {
  await daemon.stop()
  await place.remove()
})

/**
 * Runs the lines that are shown to people, with the secret where they say it is. Every program notes its arguments before
 * it begins.
 */
async function runExample(url: URL, secret: string): Promise<{ exitCode: number; sawSecret: boolean }> {
  const folder = await mkdtemp(join(place.home, 'example-'))
  const notes = join(folder, 'arguments')
  const programs = await Promise.all(
    ['python3', 'curl'].map(async (name) => {
      const { stdout } = await exec({ command: 'sh', args: ['-c', 'command -v "$1"', 'sh', name] })
      await writeFile(join(folder, name), `#!/bin/sh\necho "${name} $*" >> ${notes}\nexec ${stdout.trim()} "$@"\n`)
      await chmod(join(folder, name), 0o755)
      return name
    }),
  )
  await writeFile(join(folder, webhookSecretFile), `${secret}\n`, { mode: 0o600 })
  const { exitCode } = await exec({
    command: 'sh',
    args: [],
    cwd: folder,
    env: { PATH: `${folder}:${process.env.PATH}` },
    stdin: webhookExample(url.href),
    okExitCodes: 'any',
  })
  const seen = await readFile(notes, 'utf8')
  for (const name of programs) expect(seen).toContain(`${name} `)
  return { exitCode: exitCode ?? -1, sawSecret: seen.includes(secret) }
}

describe('lockstep registry', () => {
  it('S1.22 S1.32 checks, applies from standard input, shows, diffs and returns', async () => {
    const none = await refused(place.home, ['registry', 'get', 'services'])
    expect(none).toMatchObject({ exitCode: 3, error: { code: 'NOT_FOUND' } })
    const text = `{"demo": ${JSON.stringify(demo)}}`
    expect(await cli(RegistryCheck, ['check', 'services', '-'], { stdin: text })).toMatchObject({
      status: 'valid',
      changes: [{ name: 'demo', kind: 'added' }],
    })
    const first = await cli(RegistrySave, ['apply', 'services', '-', '--comment', 'begin'], { stdin: text })
    expect(first).toMatchObject({ status: 'saved', revision: { number: 1, comment: 'begin' } })
    await writeFile(inHome('two.yaml'), 'demo: {subdomain: demo, ip: 100.64.0.7, port: 81, public: true}\n')
    const second = await say(['apply', 'services', inHome('two.yaml'), '--yes'])
    expect(second).toMatchObject({ exitCode: 0, stdout: 'Revision 2 saved: 1 entry.\n' })
    expect(second.stderr).toContain('port: 80 -> 81')
    expect((await say(['diff', 'services'])).stdout).toContain('port: 80 -> 81')
    expect((await say(['get', 'services', '--format', 'yaml'])).stdout).toContain('port: 81')
    expect(await cli(RegistryRevision, ['return', 'services', '1'])).toMatchObject({ number: 3 })
    expect(await cli(RegistryRevision.array(), ['history', 'services'])).toHaveLength(3)
    expect((await say(['history', 'services'])).stdout).toContain('revision 1 again')
  })

  it('S1.25 names every mistake with line and column, exit code 2, and saves nothing', async () => {
    const text = `{\n  "demo": ${JSON.stringify({ ...demo, port: 0, ip: 'x' })}\n}`
    const { exitCode, error } = await refused(place.home, ['registry', 'apply', 'services', '-', '--yes'], {
      stdin: text,
    })
    expect(exitCode).toBe(2)
    expect(error).toMatchObject({ code: 'REGISTRY_INVALID', data: { problems: [{ line: 2 }, { line: 2 }] } })
    const human = await say(['check', 'services', '-'], { stdin: text })
    expect(human).toMatchObject({ exitCode: 2, stdout: expect.stringContaining('$.demo.port') })
    expect(await cli(RegistryRevision.array(), ['history', 'services'])).toHaveLength(3)
  })

  it('S1F.6 gives both changes together when somebody else was faster, exit code 4', async () => {
    const text = JSON.stringify({ demo, late: { ...demo, subdomain: 'late' } })
    const clash = await say(['apply', 'services', '-', '--base', '2', '--yes'], { stdin: text })
    expect(clash.exitCode).toBe(4)
    expect(Object.keys(JSON.parse(clash.stdout))).toEqual(['demo', 'late'])
    expect(clash.stderr).toContain('--base 3')
    const settled = await cli(RegistrySave, ['apply', 'services', '-', '--base', '3'], { stdin: clash.stdout })
    expect(settled).toMatchObject({ status: 'saved', revision: { number: 4 } })
  })

  it('S1F.8 exports with a passphrase from a file, and imports that again', async () => {
    const text = JSON.stringify({ demo: { ...demo, password: 'hidden-value' } })
    await cli(RegistrySave, ['apply', 'services', '-'], { stdin: text })
    await writeFile(inHome('words'), 'correct horse\n', { mode: 0o600 })
    const bare = await say(['export', 'services'])
    expect(bare.stdout).not.toContain('password')
    expect(bare.stderr).toContain('1 sensitive value(s) are left out')
    const sealed = await say(['export', 'services', '--seal-with', inHome('words')])
    expect(sealed.stdout).toContain('$sealed')
    expect(sealed.stdout).not.toContain('hidden-value')
    const args = ['import', 'services', '-', '--open-with', inHome('words')]
    expect(await cli(RegistrySave, args, { stdin: sealed.stdout })).toMatchObject({ status: 'unchanged' })
  })

  it('S1F.2 S1.33 follows a file, and a signed call over HTTP makes the daemon look at it', async () => {
    const file = inHome('services.json')
    await writeFile(file, JSON.stringify({ filed: { ...demo, subdomain: 'filed' } }))
    const source = await cli(RegistrySource, ['sources', 'add', 'file', '--file', file])
    expect(source.state.status).toBe('following')
    const { path, secret } = await cli(z.object({ path: z.string(), secret: z.string() }), ['webhook', 'enable'])
    const url = new URL(path, daemon.link)
    const call = async (body: string, key: string, method = 'POST') => {
      const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`
      const headers = { 'X-Lockstep-Signature': signature }
      return (await fetch(url, { method, headers, ...(method === 'POST' ? { body } : {}) })).status
    }
    expect(await call('{}', 'wrong')).toBe(403)
    expect(await call('{}', secret, 'GET')).toBe(405)
    expect(await call('x'.repeat(1024 * 1024 + 1), secret)).toBe(413)
    await writeFile(`${file}.new`, JSON.stringify({ called: { ...demo, subdomain: 'called' } }))
    await rename(`${file}.new`, file)
    expect(await call('{}', secret)).toBe(202)
    await waitFor('the new services', async () => (await say(['get', 'services'])).stdout.includes('called'))
    const guide = await readFile(join(import.meta.dirname, '../../../docs/guide/registry.md'), 'utf8')
    expect(guide).toContain(webhookExample('http://127.0.0.1:PORT/hooks/registry'))
    expect(await runExample(url, secret)).toEqual({ exitCode: 0, sawSecret: false })
    expect((await runExample(url, 'another')).exitCode).toBe(22)
    await cli(z.unknown(), ['webhook', 'disable'])
    expect(await call('{}', secret)).toBe(403)
    await writeFile(file, '{')
    expect((await say(['sources', 'refresh', 'file'])).exitCode).toBe(1)
    expect((await say(['sources', 'list'])).stdout).toContain('failing')
    await cli(z.unknown(), ['sources', 'remove', 'file'])
    expect(await cli(RegistrySource.array(), ['sources', 'list'])).toEqual([])
  })
})
