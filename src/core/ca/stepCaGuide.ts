import { shellQuote } from '../transfer/remoteShell.ts'

/*
 * How to set up a step-ca for SSH, as the console shows it. Some of the published instructions do not work as written
 * (D1, D2, D3); such a step carries the form that works, and the other one for display, so that whoever follows the
 * instructions finds out why nothing happens.
 */

export interface GuideStep {
  readonly title: string
  /** The machine on which the commands run. */
  readonly where: 'authority' | 'storage' | 'agent'
  /** For a POSIX shell, in this order; empty when there is nothing to type. */
  readonly commands: readonly string[]
  /** Content to put into a file, for steps that write one. */
  readonly file?: { readonly path: string; readonly content: string }
  /** What to know before pressing Enter. */
  readonly note: string
  /** The published form, where it differs from `commands`: never to be run. */
  readonly published?: string
}

export interface StepCaGuideOptions {
  readonly name?: string
  readonly dnsName?: string
  readonly port?: number
  readonly provisioner?: string
  readonly principal?: string
  /** Where `trusted_user_ca.pub` goes: a login and host for scp. */
  readonly storageLogin?: string
}

const defaults = {
  name: 'Sync SSH CA',
  dnsName: 'ca.internal',
  port: 9000,
  provisioner: 'sync-provisioner',
  principal: 'sync-agent',
  storageLogin: 'root@storage.internal',
} as const satisfies Required<StepCaGuideOptions>

type Settings = Required<StepCaGuideOptions>

/** Every step from an empty machine to the first certificate (S0.1 to S0.20, S0.26 to S0.29). */
export function stepCaSetupGuide(options: StepCaGuideOptions = {}): GuideStep[] {
  const settings: Settings = { ...defaults, ...options }
  return [
    ...installSteps(),
    ...initSteps(settings),
    ...keySteps(),
    restrictStep(settings),
    startStep(settings),
    ...trustSteps(settings),
    ...certificateSteps(settings),
  ]
}

function installSteps(): GuideStep[] {
  return [
    {
      title: 'A machine of its own',
      where: 'authority',
      commands: [],
      note: 'Neither storage nor an agent: who holds a node must not hold the key that opens all nodes.',
    },
    {
      title: 'Install the step command',
      where: 'authority',
      commands: [
        'curl -fsSL https://github.com/smallstep/cli/releases/latest/download/step-cli_amd64.deb -o step.deb',
        'sudo dpkg -i step.deb',
      ],
      note: 'This is the command only. The authority itself is the next step.',
    },
    {
      title: 'Install the authority',
      where: 'authority',
      commands: [
        'curl -fsSL https://dl.smallstep.com/certificates/docs-ca-install/latest/step-ca_amd64.deb -o step-ca.deb',
        'sudo dpkg -i step-ca.deb',
      ],
      note: 'The published instructions leave this package out; without it nothing can be started.',
    },
  ]
}

function initSteps({ name, dnsName, port, provisioner }: Settings): GuideStep[] {
  const init = ['step', 'ca', 'init', '--name', name, '--dns', dnsName, '--address', `:${port}`]
  return [
    {
      title: 'Create the authority',
      where: 'authority',
      commands: [commandLine([...init, '--provisioner', provisioner, '--ssh'])],
      note: `It asks for a password: the console needs the same one to use "${provisioner}". Agents reach it at https://${dnsName}:${port}.`,
    },
    {
      title: 'Know its files',
      where: 'authority',
      commands: [
        'ls -l ~/.step/config/ca.json ~/.step/certs/root_ca.crt ~/.step/certs/intermediate_ca.crt ~/.step/secrets/intermediate_ca_key',
      ],
      note: 'Settings, root, intermediate, and the secret key of the intermediate.',
      published: '~/.step/ca.json',
    },
    {
      title: 'Keep the root safe',
      where: 'authority',
      commands: [
        'chmod 444 ~/.step/certs/root_ca.crt',
        'chmod 400 ~/.step/secrets/root_ca_key',
        'step certificate fingerprint ~/.step/certs/root_ca.crt',
      ],
      note: 'Nobody may replace root_ca.crt; it is not secret. Its key is: move root_ca_key offline. The fingerprint is what the console and agents pin.',
      published: 'step ca fingerprint',
    },
  ]
}

function keySteps(): GuideStep[] {
  const keypair = (kind: 'host' | 'user'): string =>
    `step crypto keypair ~/.step/certs/ssh_${kind}_ca_key.pem ~/.step/secrets/ssh_${kind}_ca_key --kty OKP --crv Ed25519 --force`
  return [
    {
      title: 'Make both SSH keys Ed25519',
      where: 'authority',
      commands: [keypair('host'), keypair('user')],
      note: 'init makes ECDSA keys, which work as well. Give both the password of the authority. Do it now: nodes trust the key, so a later change is a rotation.',
    },
    {
      title: 'SSH in ca.json',
      where: 'authority',
      commands: [],
      file: {
        path: '~/.step/config/ca.json',
        content:
          '"ssh": {\n  "hostKey": "/home/step/.step/secrets/ssh_host_ca_key",\n  "userKey": "/home/step/.step/secrets/ssh_user_ca_key"\n}',
      },
      note: 'init --ssh writes this already. Both values are paths of key files; with objects in their place step-ca does not start.',
      published: '"ssh": {"hostKey": {"type": "ed25519"}, "userKey": {"type": "ed25519"}}',
    },
  ]
}

function restrictStep({ provisioner, principal }: Settings): GuideStep {
  const update = ['step', 'ca', 'provisioner', 'update', provisioner]
  return {
    title: `Certify ${principal} and nobody else`,
    where: 'authority',
    commands: [commandLine([...update, '--ssh', '--ssh-template', 'sync-agent.tpl'])],
    file: { path: 'sync-agent.tpl', content: sshTemplateFor(principal) },
    note: `The published options do not exist; a template does it. It also leaves out the extensions that step-ca adds by itself; terminals get permit-pty when they ask. The console and the agent refuse everything but ^${principal}$ on their own, too.`,
    published: commandLine([...update, '--ssh', '--ssh-principal', principal]).concat(
      ` --ssh-principal-regex "^${principal}$"`,
    ),
  }
}

/**
 * An SSH template of step-ca (Go text/template) that signs user certificates for exactly this principal (S0.19, S0.20,
 * D2). Without a template a provisioner signs any principal, with all five extensions; this one grants `permit-pty`
 * when it is asked for, for terminals, and the two options that only limit.
 */
export function sshTemplateFor(principal: string): string {
  const name = JSON.stringify(principal)
  return `{{- if or (ne .Type "user") (ne (len .Principals) 1) (ne (index .Principals 0) ${name}) }}
{{- fail "this provisioner certifies one user only" }}
{{- end }}
{{- $extensions := dict }}
{{- $limits := dict }}
{{- with .Insecure.User }}
{{- range .extensions }}{{ if eq . "permit-pty" }}{{ $_ := set $extensions . "" }}{{ end }}{{ end }}
{{- range $name, $value := .criticalOptions }}
{{- if has $name (list "force-command" "source-address") }}{{ $_ := set $limits $name $value }}{{ end }}
{{- end }}
{{- end }}
{
  "type": {{ toJson .Type }},
  "keyId": {{ toJson .KeyID }},
  "principals": {{ toJson .Principals }},
  "extensions": {{ toJson $extensions }},
  "criticalOptions": {{ toJson $limits }}
}
`
}

function startStep({ dnsName, port }: Settings): GuideStep {
  return {
    title: 'Start it',
    where: 'authority',
    commands: [
      'step-ca ~/.step/config/ca.json',
      `step ca health --ca-url https://${dnsName}:${port} --root ~/.step/certs/root_ca.crt`,
    ],
    note: 'The first one keeps running and asks for the password; make it a service with --password-file later.',
  }
}

function trustSteps({ storageLogin }: Settings): GuideStep[] {
  return [
    {
      title: 'Get the key that storage has to trust',
      where: 'authority',
      commands: ['step ssh config --roots > trusted_user_ca.pub'],
      note: 'The console reads the same keys from the authority; a plan of kind trust delivers them and proves the login.',
    },
    {
      title: 'Copy it to storage',
      where: 'authority',
      commands: [commandLine(['scp', 'trusted_user_ca.pub', `${storageLogin}:/etc/ssh/ca/trusted_user_ca.pub`])],
      note: 'sshd reads it through TrustedUserCAKeys. Keep a session open until a login with a certificate has worked.',
    },
  ]
}

function certificateSteps({ dnsName, port, principal, provisioner }: Settings): GuideStep[] {
  const order = {
    principal,
    caUrl: `https://${dnsName}:${port}`,
    rootFile: 'root_ca.crt',
    publicKeyFile: 'agent_key.pub',
  }
  return [
    {
      title: 'A key for each machine that reaches storage',
      where: 'agent',
      commands: ['ssh-keygen -t ed25519 -f agent_key -N ""'],
      note: 'The private key stays on that machine. It opens nothing without a certificate.',
    },
    {
      title: 'A certificate before every run',
      where: 'agent',
      commands: [commandLine(stepCertificateCommand({ ...order, provisioner }))],
      note: 'By hand; the agent does the same on its own and renews when less than an hour is left. root_ca.crt pins the authority: compare its fingerprint first.',
      published: publishedCertificateCommand(order),
    },
  ]
}

export interface StepCertificateOrder {
  readonly principal: string
  readonly publicKeyFile: string
  readonly caUrl: string
  /** Root certificate whose fingerprint was compared with the pin (S0.29). */
  readonly rootFile: string
  readonly provisioner?: string
  /** The file that holds it: a password is never an argument. */
  readonly passwordFile?: string
  readonly lifetimeSeconds?: number
}

/** Arguments with which `step` signs an existing public key (D1). */
export function stepCertificateCommand(order: StepCertificateOrder): string[] {
  const { principal, publicKeyFile, caUrl, rootFile, provisioner, passwordFile, lifetimeSeconds } = order
  return [
    ...['step', 'ssh', 'certificate', principal, publicKeyFile, '--sign', '--principal', principal],
    ...(provisioner === undefined ? [] : ['--provisioner', provisioner]),
    ...(passwordFile === undefined ? [] : ['--provisioner-password-file', passwordFile]),
    ...(lifetimeSeconds === undefined ? [] : ['--not-after', `${lifetimeSeconds}s`]),
    ...['--ca-url', caUrl, '--root', rootFile],
  ]
}

/** The published form of the same request (S0.28): for display; `step` has no such arguments. */
export function publishedCertificateCommand(order: StepCertificateOrder): string {
  const certificateFile = order.publicKeyFile.replace(/\.pub$/, '-cert.pub')
  const words = ['step', 'ssh', 'certificate', order.principal, order.publicKeyFile, certificateFile]
  return `${commandLine([...words, '--ca-url', order.caUrl])} --fingerprint $(step ca fingerprint)`
}

/** One line for a shell; quotes only where a shell would read something else. */
function commandLine(words: readonly string[]): string {
  return words.map((word) => (/^[A-Za-z0-9_./:@=,+-]+$/.test(word) ? word : shellQuote(word))).join(' ')
}
