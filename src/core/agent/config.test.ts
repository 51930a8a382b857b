import { describe, expect, it } from 'vitest'
import { AgentSpec } from '../../shared/model/plan.ts'
import { agentSpecOf, describeProblems, readAgentConfig } from './config.ts'

const read = (text: string) =>
  readAgentConfig(text, (schedule) => (schedule === 'never' ? 'not a cron expression' : null))
const smallest =
  'storage: { host: storage.internal }\nsync:\n  push:\n    - { source: /srv/data, target: /srv/agent }\n'

function problemsOf(text: string) {
  const reading = read(text)
  if (reading.ok) throw new Error('it was taken')
  return reading.problems
}

describe('agent.yaml', () => {
  it('S0.37 S0.38 S0.47 fills in principal, min_valid_seconds, lock file, login user and port', () => {
    const reading = read(smallest)
    expect(reading).toMatchObject({
      ok: true,
      config: {
        ssh: { ca_url: null, principal: 'sync-agent', min_valid_seconds: 3600 },
        storage: { host: 'storage.internal', port: 22, user: 'sync' },
        lock_file: '/var/lock/sync-agent.lock',
        state_directory: '/var/lib/lockstep-agent',
        log_directory: null,
        sync: { delete: false, verify: 'checksum', schedule: null },
      },
    })
  })

  it('S0.36 takes ssh.ca_url, and wants to know the provisioner then', () => {
    const url = `${smallest}ssh:\n  ca_url: https://ca.internal:9000\n`
    expect(problemsOf(url).map(({ field }) => field)).toEqual(['ssh.provisioner', 'ssh.provisioner_password_file'])
    const whole = `${url}  provisioner: sync-provisioner\n  provisioner_password_file: /etc/lockstep/password\n`
    expect(read(whole)).toMatchObject({ ok: true, config: { ssh: { ca_url: 'https://ca.internal:9000' } } })
  })

  it('names every mistake at once, each with field and line', () => {
    const text = [
      'storage:',
      '  host: "a b"',
      '  prot: 22',
      'sync:',
      '  push:',
      '    - source: relative/path',
      '      target: /srv/agent',
      '  delete: yes please',
      '  schedule: never',
      'shh: {}',
    ].join('\n')
    const problems = problemsOf(text)
    expect(problems.map(({ line, field }) => `${line} ${field}`)).toEqual([
      '2 storage.host',
      '3 storage.prot',
      '6 sync.push.0.source',
      '8 sync.delete',
      '10 shh',
    ])
    expect(describeProblems('/etc/lockstep/agent.yaml', problems)).toContain(
      '/etc/lockstep/agent.yaml:3: storage.prot: there is no such key',
    )
  })

  it('names a wrong schedule where it stands', () => {
    expect(problemsOf(`${smallest}  schedule: never\n`)).toEqual([
      { line: 5, field: 'sync.schedule', message: 'not a cron expression' },
    ])
  })

  it('takes no file without work, no empty file and no second document', () => {
    expect(problemsOf('storage: { host: s }\nsync: {}\n')[0]?.message).toContain('at least one directory')
    expect(problemsOf('')[0]?.message).toContain('empty')
    expect(problemsOf(`${smallest}---\n${smallest}`)[0]?.message).toContain('more than one document')
    expect(problemsOf('a: [')[0]?.line).toBe(1)
  })

  it('tells the control plane its work in the form of the contract', () => {
    const reading = read(smallest)
    if (!reading.ok) throw new Error('not taken')
    expect(AgentSpec.parse(agentSpecOf(reading.config))).toMatchObject({
      storage: { address: 'storage.internal', port: 22, user: 'sync' },
      push: [{ source: '/srv/data', target: '/srv/agent' }],
    })
  })
})
