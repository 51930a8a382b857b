import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readSourceConfiguration } from './sourceConfiguration.ts'

const read = (text: string) => readSourceConfiguration(text, { name: 'main', homeDirectory: '/home/op' })

function accepted(text: string) {
  const result = read(text)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.read
}

function problems(text: string) {
  const result = read(text)
  return result.ok ? [] : result.problems.map(({ field, line }) => `${line} ${field}`)
}

const whole = `
repository:
  main_repo_path: ~/th_timmy
  vm_repo_paths:
    vm01: ~/th_timmy
    vm02: ~/th_timmy
    vm03: /opt/th_timmy
  default_branch: develop
  exclude_dot_git: true
  rsync_excludes: [.git, __pycache__, "*.log"]
  secret_scanning:
    enabled: true
    tool: gitleaks
    config_path: ~/gitleaks.toml
    block_on_secrets: false
vms:
  vm01: { ip: 10.0.0.11, ssh_user: thadmin, ssh_port: 22 }
  vm02: { ip: 10.0.0.12, ssh_user: thadmin, ssh_port: "2222", role: database }
  vm03: { ip: vm03.example, ssh_user: root }
  vm04: { ip: 10.0.0.14, ssh_user: thadmin }
remote_execution:
  key_storage_path: ~/.ssh/th_timmy_keys
  timeout: 30
`

describe('a configuration of the sources', () => {
  it('S2.18 S2.20 S2.23 S2.24 S2.25 S2.26 comes to a repository with its checkout here', () => {
    expect(accepted(whole).repository).toMatchObject({
      name: 'main',
      remote: null,
      checkout: { kind: 'here', directory: '/home/op/th_timmy' },
      defaultBranch: 'develop',
      scan: { enabled: true, tool: 'gitleaks', configPath: '/home/op/gitleaks.toml', blockOnSecrets: false },
    })
  })

  it('S2.28 S2.29 S2.30 S2.31 D9 each VM to a node with a key of its own', () => {
    const { nodes, notes } = accepted(whole)
    expect(nodes.map(({ name, kind, address, port, user }) => [name, kind, address, port, user])).toEqual([
      ['vm01', 'vm', '10.0.0.11', 22, 'thadmin'],
      ['vm02', 'vm', '10.0.0.12', 2222, 'thadmin'],
      ['vm03', 'vm', 'vm03.example', 22, 'root'],
    ])
    expect(nodes[1]?.login).toEqual({ kind: 'static-key', keyFile: '/home/op/.ssh/th_timmy_keys/id_ed25519_vm02' })
    expect(notes.filter((note) => note.startsWith('vms.vm04'))).toHaveLength(1)
    expect(notes).toContain('vms.vm02.role means nothing here and was left aside.')
    expect(notes).toContain('remote_execution.timeout means nothing here and was left aside.')
  })

  it('S2.19 S2.21 S2.22 D17 the paths to one plan; `~` on a node is left to the node', () => {
    const { plans } = accepted(whole)
    expect(plans).toHaveLength(1)
    expect(plans[0]).toMatchObject({
      name: 'main',
      selector: 'name:vm01 or name:vm02 or name:vm03',
      spec: {
        repository: 'main',
        ref: { kind: 'branch', name: null },
        target: '~/th_timmy',
        targets: { vm03: '/opt/th_timmy' },
        excludeDotGit: true,
        excludes: ['__pycache__', '*.log'],
      },
    })
  })

  it('S2.18 JSON says the same as YAML', () => {
    const json = JSON.stringify({
      repository: { main_repo_path: '/srv/repo' },
      vms: { vm01: { ip: '10.0.0.1', ssh_user: 'sync', ssh_port: 22 } },
    })
    const yaml = 'repository: { main_repo_path: /srv/repo }\nvms: { vm01: { ip: 10.0.0.1, ssh_user: sync } }'
    expect(accepted(json)).toEqual(accepted(yaml))
    expect(accepted(yaml).plans[0]).toMatchObject({
      spec: { target: '~/th_timmy', excludes: ['__pycache__', '.vscode'] },
    })
    expect(accepted(yaml).nodes[0]?.login).toMatchObject({ keyFile: '/home/op/.ssh/th_timmy_keys/id_ed25519_vm01' })
  })

  it('S2.18 without VMs there is no plan, and that is said', () => {
    const { nodes, plans, notes } = accepted('repository: { main_repo_path: /srv/repo }')
    expect([nodes, plans]).toEqual([[], []])
    expect(notes.join()).toContain('no plan')
  })

  it('S2.24 another tool is replaced by ours, and that is said', () => {
    const text = 'repository: { main_repo_path: /r, secret_scanning: { tool: trufflehog } }'
    expect(accepted(text).repository.scan.tool).toBe('builtin')
    expect(accepted(text).notes.join()).toContain('repository.secret_scanning.tool: "trufflehog"')
  })

  it('S2.21 S2.22 `.git` among the excludes while it is asked for stays left out, and that is said', () => {
    const text = `repository: { main_repo_path: /r, exclude_dot_git: false, rsync_excludes: [.git/] }
vms: { a: { ip: 10.0.0.1, ssh_user: sync } }`
    expect(accepted(text).plans[0]).toMatchObject({ spec: { excludeDotGit: false, excludes: ['.git/'] } })
    expect(accepted(text).notes.join()).toContain('exclude_dot_git is false')
  })

  it('S2.18 each mistake is named with its field and line', () => {
    const text = `repository:
  main_repo_path: relative/path
  default_branch: -x
  exclude_dot_git: maybe
  rsync_excludes: .git
  vm_repo_paths:
    vm01: ../up
    vm09: /opt/x
  secret_scanning: on it
vms:
  vm01: { ip: "not an address", ssh_user: 7, ssh_port: 99999 }
`
    expect(problems(text).sort()).toEqual(
      [
        '2 repository.main_repo_path',
        '3 repository.default_branch',
        '4 repository.exclude_dot_git',
        '5 repository.rsync_excludes',
        '8 repository.vm_repo_paths.vm09',
        '9 repository.secret_scanning',
        '11 vms.vm01.ssh_user',
      ].sort(),
    )
  })

  it('S2.30 a VM says where it is and who logs in; its name is part of the name of a file', () => {
    const of = (vm: string) => problems(`repository: { main_repo_path: /r }\nvms: { ${vm} }`)
    expect(of('a: { ssh_user: sync }')).toEqual(['2 vms.a.ip'])
    expect(of('a: { ip: 10.0.0.1 }')).toEqual(['2 vms.a.ssh_user'])
    expect(of('a: { ip: 10.0.0.1, ssh_user: sync, ssh_port: 0 }')).toEqual(['2 vms.a.ssh_port'])
    expect(of('a: { ip: 10.0.0.1, ssh_user: -oProxyCommand=x }')).toEqual(['2 vms.a.ssh_user'])
    expect(of('"../../etc/x": { ip: 10.0.0.1, ssh_user: sync }')).toEqual(['2 vms.../../etc/x'])
  })

  it('S2.18 rubbish is refused with a place, never thrown', () => {
    expect(problems('')).toEqual(['1 '])
    expect(problems('just words')).toEqual(['1 ', '1 repository'])
    expect(problems('a: 1\na: 2')).toEqual(['2 '])
    expect(problems('repository: []')[0]).toBe('1 repository')
    expect(problems('---\na: 1\n---\nb: 2')).toEqual(['1 '])
    fc.assert(fc.property(fc.string(), (text) => read(text).ok === false))
    fc.assert(
      fc.property(fc.json(), (json) => {
        read(json)
        read(`{"repository": ${json}, "vms": ${json}}`)
      }),
    )
  })
})
