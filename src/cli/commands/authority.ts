import type { Command } from 'commander'
import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { Authority } from '../../shared/model/certificate.ts'
import type { Runner } from '../context.ts'
import { renderFacts } from '../output/table.ts'
import { isoTime } from '../output/words.ts'

export function addAuthorityCommands(program: Command, run: Runner): void {
  const authority = program.command('ca').description('the authority that signs our certificates')
  authority
    .command('show')
    .description('fingerprint, age and how its key is sealed')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.certificates.authorities(), (all) => all.map(render).join('\n')),
        ),
      ),
    )
  authority
    .command('export')
    .description('the public line for TrustedUserCAKeys on a node')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const { publicKey, fingerprint } = await userAuthority(client)
          output.value({ publicKey, fingerprint }, () => `${publicKey.trim()}\n`)
        }),
      ),
    )
}

async function userAuthority(client: EngineClient): Promise<Authority> {
  const found = (await client.certificates.authorities()).find(({ kind }) => kind === 'ssh-user')
  if (found === undefined) throw new AppError('INTERNAL', 'There is no SSH user authority.')
  return found
}

const render = (authority: Authority): string =>
  renderFacts([
    ['authority', authority.kind],
    ['fingerprint', authority.fingerprint],
    ['made', isoTime(authority.createdAt)],
    ['sealed by', authority.sealedBy],
  ])
