import { type Command, Option } from 'commander'
import type { RunningDaemon } from '../../daemon/serve.ts'
import { requestLoginLink } from '../../daemon/socketClient.ts'
import { isStderrJournal } from '../../platform/journal.ts'
import { AppError } from '../../shared/errors.ts'
import type { CliContext, Runner } from '../context.ts'
import { integerBetween, secondsAtLeast } from '../input/options.ts'
import { openInBrowser } from '../openBrowser.ts'

interface ServeCommandOptions {
  readonly port: number
  readonly reconcileSeconds?: number
  readonly probeSeconds?: number
  readonly openLink?: boolean
  readonly demo?: boolean
  readonly nodes?: number
  readonly logFormat: 'file' | 'journal'
}

const defaultDemoNodes = 12

export function addServeCommands(program: Command, run: Runner): void {
  program
    .command('serve')
    .description('the engine of this home, with the console on this machine only, until it is stopped')
    .option('--port <n>', 'of the console; 0 is any free one', integerBetween(0, 65_535), 0)
    .option('--reconcile-seconds <n>', 'how often the whole fleet is brought in step', secondsAtLeast(1_000))
    .option('--probe-seconds <n>', 'how often a node that cannot be reached is tried', secondsAtLeast(100))
    .addOption(
      new Option(
        '--log-format <format>',
        'journal: lines for journald on standard error, too; file: the log file alone',
      )
        .choices(['file', 'journal'])
        .default(isStderrJournal() ? 'journal' : 'file'),
    )
    .option('--open-link', 'open the console in the browser, where there is a screen')
    .option('--demo', 'bring the demo fleet up first')
    .option('--nodes <n>', 'how many nodes the demo fleet has', integerBetween(1, 1000))
    .action((options: ServeCommandOptions) => run((context) => serveUntilStopped(context, options)))
  program
    .command('open-link')
    .alias('link')
    .description('a new one-time link to the console of the running daemon')
    .action(() =>
      run(async ({ home, output }) => {
        const link = await requestLoginLink(home)
        output.value({ link }, () => `${link}\n`)
      }),
    )
}

function overridesOf({ reconcileSeconds, probeSeconds }: ServeCommandOptions): object {
  // commander has turned the seconds into milliseconds.
  return {
    ...(reconcileSeconds === undefined ? {} : { reconcileIntervalMs: reconcileSeconds }),
    ...(probeSeconds === undefined ? {} : { unreachableProbeIntervalMs: probeSeconds }),
  }
}

async function serveUntilStopped(context: CliContext, options: ServeCommandOptions): Promise<void> {
  const { home, version, passphrase, output, signal } = context
  if (options.nodes !== undefined && !options.demo)
    throw new AppError('INVALID_INPUT', '--nodes goes with --demo only.')
  const { serve } = await import('../../daemon/serve.ts')
  const daemon = await serve({
    home,
    version,
    passphrase,
    port: options.port,
    journal: options.logFormat === 'journal',
    configOverrides: overridesOf(options),
    ...(options.demo ? { demoNodes: options.nodes ?? defaultDemoNodes } : {}),
  })
  try {
    const served = { home: home.home, url: daemon.url, metricsUrl: daemon.metricsUrl }
    // A journal is read by many and kept for long: no link that logs in goes there.
    if (options.logFormat === 'journal') output.value(served, servesWords)
    else output.value({ ...served, link: daemon.newLoginLink() }, servesWords)
    if (options.openLink) await openInBrowser(daemon.newLoginLink(), home)
    await untilStopped(daemon, signal)
  } finally {
    await daemon.stop()
  }
}

const servesWords = ({ home, link }: { readonly home: string; readonly link?: string }): string =>
  `Lockstep serves ${home}\n${link === undefined ? '' : `${link}\n`}`

function untilStopped(daemon: RunningDaemon, signal: AbortSignal): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  return Promise.race([asked, daemon.stopped])
}
