import type { Command } from 'commander'
import { AuthorityKind } from '../../shared/model/certificate.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { collect, wordOf } from '../input/options.ts'
import { renderAuthorities, renderExport, renderRotation } from '../output/trust.ts'
import { addStepCaCommands } from './stepCa.ts'

interface KindOption {
  readonly kind: AuthorityKind
}

const kindOption = ['--kind <kind>', AuthorityKind.options.join(', '), wordOf(AuthorityKind)] as const

export function addAuthorityCommands(program: Command, run: Runner): void {
  const authority = program.command('ca').description('the authorities that sign our certificates')
  authority
    .command('init')
    .description('makes the authorities that do not exist yet: SSH user, SSH host, X.509')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.certificates.createAuthorities({}), renderAuthorities),
        ),
      ),
    )
  authority
    .command('show')
    .description('fingerprints, age, how their keys are sealed, and rotations under way')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.certificates.authorities(), renderAuthorities)),
      ),
    )
  authority
    .command('export')
    .description('what nodes and clients need to trust an authority')
    .option(...kindOption, 'ssh-user')
    .action(({ kind }: KindOption) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const exported = await client.certificates.exportAuthority({ kind })
          output.value(exported, renderExport)
          for (const { fileName, use } of exported) output.note(`${fileName}: ${use}`)
        }),
      ),
    )
  addRotationCommands(authority.command('rotate').description('replaces an authority, phase by phase'), run)
  addStepCaCommands(authority.command('step').description('a step-ca that signs user certificates'), run)
}

function addRotationCommands(rotate: Command, run: Runner): void {
  rotate
    .command('status')
    .description('how far the current phase is proven; 1 while somebody has to follow')
    .requiredOption(...kindOption)
    .action(({ kind }: KindOption) => run((context) => rotationStatus(context, kind)))
  rotate
    .command('start')
    .description('makes a new key and has it trusted beside the old one')
    .requiredOption(...kindOption)
    .action(({ kind }: KindOption) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value([await client.certificates.startRotation({ kind })], renderAuthorities),
        ),
      ),
    )
  rotate
    .command('advance')
    .description('the next phase, once every node has proven this one')
    .requiredOption(...kindOption)
    .option('--leave-behind <name>', 'a node that will not follow and loses us; may be repeated', collect)
    .action(({ kind, leaveBehind = [] }: KindOption & { readonly leaveBehind?: readonly string[] }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(
            [await client.certificates.advanceRotation({ kind, leaveBehind: [...leaveBehind] })],
            renderAuthorities,
          ),
        ),
      ),
    )
  rotate
    .command('rollback')
    .description('back to the old key')
    .requiredOption(...kindOption)
    .action(({ kind }: KindOption) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value([await client.certificates.rollBackRotation({ kind })], renderAuthorities),
        ),
      ),
    )
}

async function rotationStatus({ withEngine, output }: CliContext, kind: AuthorityKind): Promise<ExitCode> {
  const { progress, phase } = await withEngine({}, async ({ certificates }) => ({
    progress: await certificates.rotationProgress({ kind }),
    phase: (await certificates.authorities()).find((authority) => authority.kind === kind)?.rotation?.phase ?? null,
  }))
  output.value(progress, (value) => renderRotation(value, { kind, phase }))
  return progress === null || progress.ready ? exitCodes.ok : exitCodes.failed
}
