import type { PassphraseSource } from '../daemon/passphrase.ts'
import { AppError } from '../shared/errors.ts'
import { printable } from './output/printable.ts'

const isPersonThere = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Questions go to standard error: standard output may be a file. */
const stream = { output: process.stderr } as const

/** Loaded when somebody is asked, which most commands and the daemon never do. */
const prompts = () => import('@inquirer/prompts')

async function askPassphrase(purpose: 'create' | 'unlock'): Promise<string> {
  const { password } = await prompts()
  const first = await password(
    { message: purpose === 'create' ? 'New passphrase for the key vault' : 'Passphrase of the key vault' },
    stream,
  )
  if (purpose === 'unlock') return first
  const second = await password({ message: 'The same passphrase again' }, stream)
  if (first === second) return first
  throw new AppError('INVALID_INPUT', 'The two passphrases differ. Nothing was made; start the command again.')
}

/** @param passphraseFile of `--passphrase-file`; the environment is looked at by the daemon's part */
export function passphraseSource(passphraseFile: string | undefined): PassphraseSource {
  return {
    ...(passphraseFile === undefined ? {} : { passphraseFile }),
    ...(isPersonThere() ? { prompt: askPassphrase } : {}),
  }
}

/** @returns null where no person can be asked */
export function confirmOnTerminal(): ((question: string) => Promise<boolean>) | null {
  if (!isPersonThere()) return null
  return async (question) => (await prompts()).confirm({ message: printable(question), default: false }, stream)
}
