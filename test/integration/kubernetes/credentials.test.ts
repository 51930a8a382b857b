import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualClock } from '../../fakes/manualClock.ts'
import { writeKubeconfig } from '../../support/kubernetes/kubectl.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type Followed, type FollowOptions, type KubernetesRig, startRig, token } from './rig.ts'

const name = 'service-registry'
const execApi = 'client.authentication.k8s.io/v1'

let rig: KubernetesRig
let followed: Followed[]
beforeEach(async () => {
  rig = await startRig()
  rig.server.setMap(name, { r: 'one' })
  followed = []
})
afterEach(async () => {
  const told = JSON.stringify(followed.map(({ log, states, reads }) => [log, states, reads]))
  await rig.stop()
  expect(told).not.toContain(token)
  expect(told).not.toContain('canary')
})

async function follow(options: FollowOptions = {}): Promise<Followed> {
  const source = rig.follow(options)
  followed.push(source)
  await source.start()
  return source
}

async function followAs(user: Readonly<Record<string, unknown>>, options: FollowOptions = {}): Promise<Followed> {
  const kubeconfigFile = await writeKubeconfig(rig.server, { directory: rig.directory, name: 'as', user })
  return follow({ ...options, place: { ...options.place, kubeconfigFile } })
}

/** A program that prints an ExecCredential, counts its calls and keeps what it was given. */
async function plugin(status: object, { exitCode = 0 } = {}): Promise<string> {
  const folder = join(rig.directory, 'plugins')
  await mkdir(folder, { recursive: true })
  const answer = JSON.stringify({ apiVersion: execApi, kind: 'ExecCredential', status })
  await writeFile(join(folder, 'answer.json'), answer)
  const script = [
    '#!/bin/sh',
    `echo "$KUBERNETES_EXEC_INFO|$*|$GIVEN|$LOCKSTEP_TEST_SECRET" >> ${folder}/calls`,
    'echo canary-in-stderr >&2',
    `cat ${folder}/answer.json`,
    `exit ${exitCode}`,
  ]
  await writeFile(join(folder, 'plugin'), script.join('\n'))
  await chmod(join(folder, 'plugin'), 0o700)
  return join(folder, 'plugin')
}

const calls = async (): Promise<string[]> =>
  (await readFile(join(rig.directory, 'plugins', 'calls'), 'utf8')).trimEnd().split('\n')

const login = (command: string, rest: object = {}) => ({
  exec: { apiVersion: execApi, command, interactiveMode: 'IfAvailable', ...rest },
})

describe('credentials of a kubeconfig', () => {
  it('S1.4 uses a token from a file, and reads it again when it has changed', async () => {
    const file = join(rig.directory, 'token')
    await writeFile(file, `${token}\n`)
    const source = await followAs({ tokenFile: 'token' })
    expect(source.texts()).toEqual(['one'])
    rig.server.setToken(`${token}-2`)
    rig.server.setMap(name, { r: 'two' })
    await writeFile(file, `${token}-2\n`)
    await source.refresh()
    expect(source.texts()).toEqual(['one', 'two'])
  })

  it('S1.4 logs in with a client certificate', async () => {
    const { certificate, key } = rig.server.certificates.administrator
    await writeFile(join(rig.directory, 'client.pem'), certificate)
    const base64 = Buffer.from(key).toString('base64')
    const source = await followAs({ 'client-certificate': 'client.pem', 'client-key-data': base64 })
    expect(source.texts()).toEqual(['one'])
    expect(JSON.stringify([source.log, source.states])).not.toContain(base64.slice(0, 40))
  })

  it('S1.4 asks a credential plugin as the kubeconfig says, without a shell and without our environment', async () => {
    const command = await plugin({ token })
    process.env.LOCKSTEP_TEST_SECRET = 'ours'
    const wanted = { args: ['get token', '$(id)'], env: [{ name: 'GIVEN', value: 'given' }], provideClusterInfo: true }
    const source = await followAs(login(command, wanted))
    delete process.env.LOCKSTEP_TEST_SECRET
    expect(source.texts()).toEqual(['one'])
    const [call = ''] = await calls()
    const [info = '', ...rest] = call.split('|')
    expect(rest).toEqual(['get token $(id)', 'given', ''])
    expect(JSON.parse(info)).toMatchObject({
      apiVersion: execApi,
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: rig.server.url } },
    })
  })

  it('S1.4 finds a plugin that is named from where the kubeconfig lies', async () => {
    await plugin({ token })
    expect((await followAs(login('./plugins/plugin'))).texts()).toEqual(['one'])
  })

  it('S1.82 asks a plugin once for as long as its token lives, and again when the token ends', async () => {
    const clock = createManualClock()
    const inTime = (laterMs: number) => ({
      token,
      expirationTimestamp: new Date(clock.nowMs() + laterMs).toISOString(),
    })
    const source = await followAs(login(await plugin(inTime(600_000))), { clock })
    await source.refresh()
    expect(await calls()).toHaveLength(1)
    await plugin(inTime(1_200_000))
    clock.advance(540_000)
    await source.refresh()
    expect(await calls()).toHaveLength(2)
  })

  it('U24 asks a plugin for another token when the one it gave is refused', async () => {
    const command = await plugin({ token: `${token}-old` })
    const source = await followAs(login(command))
    expect(source.failing()?.diagnosis.code).toBe('REGISTRY_SOURCE_REFUSED')
    await plugin({ token })
    await source.refresh()
    await source.says('one')
    expect(await calls()).toHaveLength(2)
  })

  it.each([
    ['fails', {}, { exitCode: 3 }, 'failed (exit code 3). Run it by hand to see why'],
    ['prints no credential', { other: token }, {}, 'printed no ExecCredential with a token or a certificate'],
  ])('S1.4 says that a plugin %s, and nothing of what it printed', async (_how, status, options, words) => {
    const source = await followAs(login(await plugin(status, options)))
    expect((await source.fails('REGISTRY_SOURCE_REFUSED')).diagnosis.sentence).toContain(words)
    expect(rig.server.requests).toEqual([])
  })

  it('S1.4 refuses a plugin that is not there, one that wants a person, and providers that need a shell', async () => {
    const sentence = async (user: object): Promise<string> =>
      (await (await followAs({ ...user })).fails('REGISTRY_SOURCE_REFUSED')).diagnosis.sentence
    expect(await sentence(login('/not/there'))).toContain('there is no such program')
    expect(await sentence(login('cat', { interactiveMode: 'Always' }))).toContain('wants a person at a terminal')
    const provider = { name: 'gcp', config: { 'cmd-path': '/bin/touch', 'cmd-args': join(rig.directory, 'touched') } }
    expect(await sentence({ 'auth-provider': provider })).toContain('which kubectl has given up')
    await expect(readFile(join(rig.directory, 'touched'))).rejects.toThrow('ENOENT')
  })
})

describe('a kubeconfig with mistakes', () => {
  const broken = async (content: string): Promise<Followed> => {
    const kubeconfigFile = join(rig.directory, 'broken')
    await writeFile(kubeconfigFile, content)
    return follow({ place: { kubeconfigFile } })
  }

  it.each([
    ['is no YAML', `users:\n- name: a\n  user:\n    token: "${token}\n\tclusters: [`, 'is no YAML'],
    ['is a text', token, 'is no kubeconfig'],
    ['has lists of something else', `users: ["${token}"]`, 'is no kubeconfig'],
    ['has no context', `users: [{name: a, user: {token: ${token}}}]`, 'has no current-context'],
    [
      'names a context that is not there',
      'current-context: prod\ncontexts: [{name: test}]',
      'has no context "prod" (there are: test)',
    ],
    [
      'has a token that is a list',
      `current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: [${token}]}}]`,
      'The user "u"',
    ],
    [
      'has a server that is no address',
      `current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: {server: ${token}}}]`,
      'The cluster "k"',
    ],
    [
      'has a damaged authority',
      `current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://127.0.0.1:1', certificate-authority: missing.pem}}]\nusers: [{name: u, user: {token: ${token}}}]`,
      'missing.pem cannot be read (ENOENT)',
    ],
  ])('S1.42 says what is wrong with one that %s, and quotes nothing of it', async (_what, content, words) => {
    const source = await broken(content)
    const { diagnosis } = await source.fails('INVALID_INPUT')
    expect(diagnosis.sentence).toContain(words)
    expect(diagnosis.transient).toBe(false)
  })

  it('S1.4 obeys none that everybody may write', async () => {
    await chmod(rig.kubeconfig, 0o666)
    const source = await follow()
    expect((await source.fails('INVALID_INPUT')).diagnosis.sentence).toContain('Use chmod 600')
    expect(rig.server.requests).toEqual([])
  })

  const insecure = { 'insecure-skip-tls-verify': true }

  it('S1.4 follows no cluster whose certificate is not to be checked, and shows it no credential, unless the source says so', async () => {
    const command = await plugin({ token })
    const kubeconfigFile = await writeKubeconfig(rig.server, {
      directory: rig.directory,
      name: 'unverified',
      trust: insecure,
      user: login(command),
    })
    const refused = await follow({ place: { kubeconfigFile } })
    const { diagnosis } = await refused.fails('REGISTRY_SOURCE_REFUSED')
    expect(diagnosis.sentence).toContain('insecure-skip-tls-verify')
    expect(diagnosis.transient).toBe(false)
    expect(rig.server.requests).toEqual([])
    await expect(calls()).rejects.toThrow('ENOENT')
    const allowed = await follow({ place: { kubeconfigFile, allowUnverifiedTls: true } })
    expect(allowed.texts()).toEqual(['one'])
  })

  it('S1.4 leave to follow an unverified cluster takes no check from one that can be verified', async () => {
    const kubeconfigFile = await writeKubeconfig(rig.server, {
      directory: rig.directory,
      name: 'stranger',
      token,
      trust: {},
    })
    const source = await follow({ place: { kubeconfigFile, allowUnverifiedTls: true } })
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_REFUSED')
    expect(diagnosis.sentence).toContain('we do not trust')
    expect(rig.server.requests).toEqual([])
  })

  it('S1.42 passes over files of KUBECONFIG that are not there, as long as one is', async () => {
    const missing = join(rig.directory, 'missing')
    const place = { kubeconfigFile: null }
    const found = await follow({ place, environment: { KUBECONFIG: `${missing}:${rig.kubeconfig}` } })
    expect(found.texts()).toEqual(['one'])
    const none = await follow({ place, environment: { KUBECONFIG: missing } })
    expect((await none.fails('INVALID_INPUT')).diagnosis.sentence).toContain('which is not there')
  })

  it('S1.42 says that there is none, and takes it when it is there', async () => {
    const clock = createManualClock()
    const environment = { HOME: rig.directory }
    const source = await follow({ place: { kubeconfigFile: null }, environment, clock })
    expect((await source.fails('INVALID_INPUT')).diagnosis.sentence).toContain('There is no kubeconfig')
    await mkdir(join(rig.directory, '.kube'))
    await writeFile(join(rig.directory, '.kube', 'config'), await readFile(rig.kubeconfig))
    await waitFor('the pause', () => clock.pendingTimerCount === 1)
    clock.advance(60_000)
    await source.says('one')
  })

  it('S1.4 masks a token that an API server says back', async () => {
    rig.server.setToken('another')
    rig.server.refuseWith(`the token ${token} is not known`)
    const source = await follow()
    const { diagnosis } = await source.fails('REGISTRY_SOURCE_REFUSED')
    expect(diagnosis.evidence).toEqual(['the token [secret] is not known'])
  })
})

describe('what the library of Kubernetes is loaded for', () => {
  it('S1.4 takes the token of an OpenID Connect provider', async () => {
    const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64url')
    const idToken = `${part({ alg: 'none' })}.${part({ exp: Date.now() / 1_000 + 3_600 })}.${token}`
    rig.server.setToken(idToken)
    const config = { 'id-token': idToken, 'idp-issuer-url': 'https://127.0.0.1:1', 'client-id': 'lockstep' }
    const source = await followAs({ 'auth-provider': { name: 'oidc', config } })
    expect(source.texts()).toEqual(['one'])
    rig.server.setMap(name, { r: 'two' })
    await source.says('two')
  })

  it('S1.42 goes through the proxy of the kubeconfig, and still trusts the authority of the cluster alone', async () => {
    const proxy = await startConnectProxy()
    try {
      const kubeconfigFile = await writeKubeconfig(rig.server, { directory: rig.directory, name: 'proxied', token })
      const config = JSON.parse(await readFile(kubeconfigFile, 'utf8'))
      config.clusters[0].cluster['proxy-url'] = proxy.url
      await writeFile(kubeconfigFile, JSON.stringify(config))
      const source = await follow({ place: { kubeconfigFile } })
      expect(source.texts()).toEqual(['one'])
      expect(proxy.asked.every((target) => target === `127.0.0.1:${rig.server.port}`)).toBe(true)
      expect(proxy.asked.length).toBeGreaterThan(0)
      config.clusters[0].cluster['certificate-authority-data'] = Buffer.from(
        (await rig.newServer()).certificates.authority,
      ).toString('base64')
      await writeFile(kubeconfigFile, JSON.stringify(config))
      await source.refresh()
      await source.fails('REGISTRY_SOURCE_REFUSED')
      await source.stop()
    } finally {
      await proxy.stop()
    }
  })
})

async function startConnectProxy() {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connect', (request, near: Socket) => {
    asked.push(request.url ?? '')
    const far = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      near.write('HTTP/1.1 200 Connection established\r\n\r\n')
      near.pipe(far)
      far.pipe(near)
    })
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
