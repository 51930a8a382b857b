import { describe, expect, it } from 'vitest'
import { RepositoryInput } from '../../../../shared/model/repository.ts'
import { emptyRepositoryForm, formOf, type RepositoryFormValues, readForm } from './formValues.ts'

const filled = (change: Partial<RepositoryFormValues> = {}): RepositoryFormValues => ({
  ...emptyRepositoryForm,
  name: 'site',
  remote: 'https://git.example.com/team/site.git',
  ...change,
})

describe('the form of a repository', () => {
  it.each([
    {},
    { checkout: { kind: 'here', directory: '/srv/site' }, remote: null },
    {
      checkout: { kind: 'node', node: 'vm04', directory: '~/site' },
      login: { kind: 'key', file: '/home/ops/.ssh/id' },
    },
    {
      login: { kind: 'token', user: 'bot' },
      depth: 5,
      pollIntervalSeconds: null,
      submodules: true,
      largeFiles: 'fetch',
    },
    { login: { kind: 'certificate' }, hostKeys: ['ssh-ed25519 AAAA', 'ecdsa-sha2-nistp256 BBBB'] },
    { scan: { enabled: false, tool: 'both', configPath: '/etc/gitleaks.toml', blockOnSecrets: false } },
  ])('S2.18 S2.20 S2.23 S2.24 S2.25 S2.26 says the same again: %j', (settings) => {
    const input = RepositoryInput.parse({
      name: 'site',
      remote: 'https://git.example.com/team/site.git',
      pollIntervalSeconds: 60,
      ...settings,
    })
    expect(readForm(formOf(input))).toEqual({ input, problems: {} })
  })

  it.each([
    [{ name: '' }, 'name'],
    [{ remote: '' }, 'remote'],
    [{ remote: 'https://ana:hunter2@git.example.com/site.git' }, 'remote'],
    [{ remote: '-oProxyCommand=x:y' }, 'remote'],
    [{ place: 'here', directory: 'site' }, 'directory'],
    [{ place: 'node', node: '', directory: '~/site' }, 'node'],
    [{ login: 'key', keyFile: '' }, 'keyFile'],
    [{ login: 'token', remote: 'git@git.example.com:site.git' }, 'login'],
    [{ login: 'token', remote: '', place: 'here', directory: '/srv/site' }, 'remote'],
    [{ defaultBranch: 'a b' }, 'defaultBranch'],
    [{ hostKeys: 'nonsense' }, 'hostKeys'],
    [{ depth: '0' }, 'depth'],
    [{ depth: 'all' }, 'depth'],
    [{ pollSeconds: '5' }, 'pollSeconds'],
    [{ scanTool: 'gitleaks', scanConfig: 'gitleaks.toml' }, 'scanConfig'],
  ] as const)('S2.11 says at its field what is wrong with %j', (change, field) => {
    const { input, problems } = readForm(filled(change))
    expect(input).toBeNull()
    expect(Object.keys(problems)).toEqual([field])
  })

  it('S2.11 takes host keys as ssh-keyscan and known_hosts have them', () => {
    const hostKeys =
      '# git.example.com:22 SSH-2.0\ngit.example.com ssh-ed25519 AAAA\n\n|1|x=|y= ecdsa-sha2-nistp256 BBBB ops@desk'
    expect(readForm(filled({ hostKeys })).input?.hostKeys).toEqual(['ssh-ed25519 AAAA', 'ecdsa-sha2-nistp256 BBBB'])
  })
})
