import { describe, expect, it } from 'vitest'
import {
  type GuideStep,
  publishedCertificateCommand,
  sshTemplateFor,
  stepCaSetupGuide,
  stepCertificateCommand,
} from './stepCaGuide.ts'

const guide = stepCaSetupGuide()
const step = (title: string): GuideStep => {
  const found = guide.find((candidate) => candidate.title === title)
  if (found === undefined) throw new Error(`no step "${title}" in: ${guide.map((each) => each.title).join(', ')}`)
  return found
}

describe('guide to a step-ca', () => {
  it('S0.1 begins with a machine of its own, and does all before the first certificate there', () => {
    expect(guide[0]).toMatchObject({ title: 'A machine of its own', where: 'authority', commands: [] })
    const firstElsewhere = guide.findIndex(({ where }) => where !== 'authority')
    expect(guide.slice(firstElsewhere).every(({ where }) => where === 'agent')).toBe(true)
  })

  it('S0.2 S0.3 installs the step command, and the authority that the published steps leave out', () => {
    expect(step('Install the step command').commands).toEqual([
      'curl -fsSL https://github.com/smallstep/cli/releases/latest/download/step-cli_amd64.deb -o step.deb',
      'sudo dpkg -i step.deb',
    ])
    expect(step('Install the authority').commands.join('\n')).toContain('sudo dpkg -i step-ca.deb')
  })

  it('S0.4 S0.5 S0.6 S0.7 S0.8 S0.9 initialises with exactly these five options', () => {
    expect(step('Create the authority').commands).toEqual([
      "step ca init --name 'Sync SSH CA' --dns ca.internal --address :9000 --provisioner sync-provisioner --ssh",
    ])
    expect(step('Create the authority').note).toContain('https://ca.internal:9000')
  })

  it('S0.10 S0.11 S0.12 names the files where step writes them, and where they are said to be', () => {
    const { commands, published } = step('Know its files')
    for (const file of [
      'config/ca.json',
      'certs/root_ca.crt',
      'certs/intermediate_ca.crt',
      'secrets/intermediate_ca_key',
    ])
      expect(commands.join(' ')).toContain(`~/.step/${file}`)
    expect(published).toBe('~/.step/ca.json')
  })

  it('S0.13 S0.29 protects the root and prints the fingerprint to pin', () => {
    const { commands } = step('Keep the root safe')
    expect(commands).toContain('chmod 444 ~/.step/certs/root_ca.crt')
    expect(commands).toContain('chmod 400 ~/.step/secrets/root_ca_key')
    expect(commands).toContain('step certificate fingerprint ~/.step/certs/root_ca.crt')
  })

  it('S0.14 S0.15 S0.16 D3 makes Ed25519 keys and writes their paths, not objects', () => {
    for (const command of step('Make both SSH keys Ed25519').commands)
      expect(command).toMatch(/--kty OKP --crv Ed25519/)
    const { file, published } = step('SSH in ca.json')
    const { ssh } = JSON.parse(`{${file?.content}}`)
    expect(Object.values(ssh)).toEqual([
      expect.stringMatching(/ssh_host_ca_key$/),
      expect.stringMatching(/ssh_user_ca_key$/),
    ])
    expect(JSON.parse(`{${published}}`)).toEqual({
      ssh: { hostKey: { type: 'ed25519' }, userKey: { type: 'ed25519' } },
    })
  })

  it('S0.17 S0.18 fetches the user key and copies it to where sshd reads it', () => {
    expect(step('Get the key that storage has to trust').commands).toEqual([
      'step ssh config --roots > trusted_user_ca.pub',
    ])
    expect(step('Copy it to storage').commands).toEqual([
      'scp trusted_user_ca.pub root@storage.internal:/etc/ssh/ca/trusted_user_ca.pub',
    ])
  })

  it('S0.19 S0.20 D2 restricts the provisioner with a template, and shows the published options without running them', () => {
    const { commands, published, file } = step('Certify sync-agent and nobody else')
    expect(commands).toEqual(['step ca provisioner update sync-provisioner --ssh --ssh-template sync-agent.tpl'])
    expect(published).toBe(
      'step ca provisioner update sync-provisioner --ssh --ssh-principal sync-agent --ssh-principal-regex "^sync-agent$"',
    )
    expect(file).toEqual({ path: 'sync-agent.tpl', content: sshTemplateFor('sync-agent') })
  })

  it('S0.26 S0.27 S0.28 D1 asks for a certificate before every run with arguments that step has', () => {
    expect(step('A key for each machine that reaches storage').commands).toEqual([
      'ssh-keygen -t ed25519 -f agent_key -N ""',
    ])
    const { commands, published } = step('A certificate before every run')
    expect(commands).toEqual([
      'step ssh certificate sync-agent agent_key.pub --sign --principal sync-agent --provisioner sync-provisioner ' +
        '--ca-url https://ca.internal:9000 --root root_ca.crt',
    ])
    expect(published).toBe(
      'step ssh certificate sync-agent agent_key.pub agent_key-cert.pub --ca-url https://ca.internal:9000 --fingerprint $(step ca fingerprint)',
    )
  })

  it('S0.28 D1 gives the arguments as words, the password as a file only', () => {
    const order = { principal: 'sync-agent', publicKeyFile: 'k.pub', caUrl: 'https://ca:9000', rootFile: 'root.crt' }
    expect(stepCertificateCommand({ ...order, passwordFile: '/etc/p w', lifetimeSeconds: 600 })).toEqual(
      'step ssh certificate sync-agent k.pub --sign --principal sync-agent --provisioner-password-file /etc/p§w --not-after 600s --ca-url https://ca:9000 --root root.crt'
        .split(' ')
        .map((word) => word.replace('§', ' ')),
    )
    expect(stepCertificateCommand(order)).not.toContain('--fingerprint')
    expect(publishedCertificateCommand(order)).toContain('k-cert.pub')
  })

  it('quotes names that a shell would read otherwise', () => {
    const commands = stepCaSetupGuide({ name: "it's $(mine)", provisioner: 'a b' }).flatMap((each) => each.commands)
    expect(commands.join('\n')).toContain(`--name 'it'\\''s $(mine)'`)
    expect(commands.join('\n')).toContain("update 'a b' --ssh")
  })
})
