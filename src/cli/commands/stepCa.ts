import type { Command } from 'commander'
import { AppError } from '../../shared/errors.ts'
import { StepCaSettings } from '../../shared/model/stepCa.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { readText } from '../input/readText.ts'
import { renderStepCa } from '../output/trust.ts'

interface SetupOptions {
  readonly url: string
  readonly root: string
  readonly provisioner: string
  readonly passwordFile: string
}

/** `lockstep ca step …` */
export function addStepCaCommands(step: Command, run: Runner): void {
  step
    .command('status')
    .description('asks the step-ca; 1 when it is not healthy')
    .action(() => run(status))
  step
    .command('setup')
    .description('proves address, pin, provisioner and password with a real signature, then keeps them')
    .requiredOption('--url <url>', 'e.g. https://ca.internal:9000')
    .requiredOption('--root <fingerprint>', 'SHA-256 of its root, as "step ca fingerprint" prints it')
    .requiredOption('--provisioner <name>', 'e.g. sync-provisioner')
    .requiredOption('--password-file <file>', 'where the password of the provisioner is; - is standard input')
    .action((options: SetupOptions) => run((context) => setUp(context, options)))
  step
    .command('use <issuer>')
    .description('who signs user certificates from now on: step-ca or embedded')
    .action((issuer: string) => run((context) => use(context, issuer)))
  step
    .command('remove')
    .description('forgets the step-ca; the embedded authority signs')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.stepCa.remove(), renderStepCa)),
      ),
    )
}

async function status({ withEngine, output }: CliContext): Promise<ExitCode> {
  const found = await withEngine({}, (client) => client.stepCa.status())
  output.value(found, renderStepCa)
  return found.settings === null || found.healthy ? exitCodes.ok : exitCodes.failed
}

async function setUp({ withEngine, output }: CliContext, options: SetupOptions): Promise<void> {
  const { url, provisioner, root } = options
  const settings = parseInput(
    StepCaSettings,
    { url, provisioner, rootFingerprint: root.toLowerCase().replaceAll(':', '') },
    'The step-ca cannot be set up',
  )
  const password = (await readText(options.passwordFile, 'The password file')).replace(/\r?\n$/, '')
  await withEngine({}, async (client) =>
    output.value(await client.stepCa.configure({ settings, password }), renderStepCa),
  )
}

async function use({ withEngine, output }: CliContext, issuer: string): Promise<void> {
  if (issuer !== 'step-ca' && issuer !== 'embedded')
    throw new AppError(
      'INVALID_INPUT',
      'Say who signs: lockstep ca step use step-ca, or: lockstep ca step use embedded',
    )
  await withEngine({}, async (client) => output.value(await client.stepCa.use({ issuer }), renderStepCa))
}
