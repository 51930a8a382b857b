import { Command, Option } from 'commander'
import { agentVersion } from './version.ts'

export interface CommonOptions {
  readonly config?: string
  readonly json?: boolean
}

export interface EnrollOptions extends CommonOptions {
  readonly join?: string
  readonly joinFile?: string
  readonly storageHostKey?: string
  readonly caFingerprint?: string
}

export interface RunOptions extends CommonOptions {
  readonly key?: string
  readonly approve?: 'source-empty' | 'mass-delete'
}

export interface DoctorOptions extends CommonOptions {
  readonly trust?: string
}

export interface BreakLockOptions extends CommonOptions {
  readonly force?: boolean
}

/** What the commands do; each gives the exit code. */
export interface Commands {
  enroll(options: EnrollOptions): Promise<number>
  run(options: RunOptions): Promise<number>
  fetch(options: CommonOptions): Promise<number>
  serve(options: CommonOptions): Promise<number>
  status(options: CommonOptions): Promise<number>
  doctor(options: DoctorOptions): Promise<number>
  breakLock(options: BreakLockOptions): Promise<number>
}

/** The command line of the agent. */
export function buildProgram(commands: Commands, onExitCode: (code: number) => void): Command {
  const program = new Command('lockstep-agent')
    .description('Pushes and pulls directories of this machine, and reports to the control plane.')
    .version(agentVersion)
    .exitOverride()
    .configureOutput({ outputError: () => undefined, writeErr: () => undefined })
  const command = <T extends CommonOptions>(
    name: string,
    description: string,
    work: (options: T) => Promise<number>,
  ): Command =>
    program
      .command(name)
      .description(description)
      .option('--config <dir>', 'directory of agent.yaml (default: /etc/lockstep, /etc/sync-agent)')
      .option('--json', 'print one JSON value; errors as one JSON object on standard error')
      .action(async (options: T) => onExitCode(await work(options)))

  command<EnrollOptions>('enroll', 'make this machine an agent, with a join token from the console', commands.enroll)
    .option('--join <token>', 'the join token; better in a file or on standard input, where nobody sees it')
    .option('--join-file <file>', 'read the join token from here; - is standard input')
    .option('--storage-host-key <fingerprint>', 'accept the host key of storage with this SHA256:… fingerprint')
    .option('--ca-fingerprint <sha256>', 'pin the root of the step-ca of ssh.ca_url')
  command<RunOptions>('run', 'one run: finish what a crash left, or begin anew', commands.run)
    .option('--key <key>', 'idempotency key: the same key is the same run')
    .addOption(new Option('--approve <reason>', 'let the halted run go on').choices(['source-empty', 'mass-delete']))
  command('fetch', 'fetch what the registry has for this machine, put it into place and read it back', commands.fetch)
  command('serve', 'stay, run by the schedule, and say that this machine lives', commands.serve)
  command('status', 'what this agent knows of itself', commands.status)
  command<DoctorOptions>('doctor', 'look at everything a run needs, and name the one cause', commands.doctor).option(
    '--trust <fingerprint>',
    'accept the host key of storage with this SHA256:… fingerprint',
  )
  command<BreakLockOptions>('break-lock', 'remove the lock of an agent that is gone', commands.breakLock).option(
    '--force',
    'even while its process lives on this machine',
  )
  return program
}
