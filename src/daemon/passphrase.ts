import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFileAtomic } from '../platform/atomicFile.ts'
import { hasErrorCode } from '../platform/fileErrors.ts'
import {
  createPassphraseVault,
  createSystemdCredentialVault,
  type KeyVault,
  readVaultKind,
  vaultCredentialName,
} from '../platform/keyVault.ts'
import { type HomePaths, prepareHome } from '../platform/paths.ts'
import { AppError } from '../shared/errors.ts'

/** Where a host without a keyring gets the passphrase of the key vault. */
export interface PassphraseSource {
  /** `--passphrase-file`, else LOCKSTEP_PASSPHRASE_FILE. One line. */
  readonly passphraseFile?: string
  /** Asks on the terminal; absent when there is none. */
  readonly prompt?: (purpose: 'create' | 'unlock') => Promise<string>
}

export interface HostVault {
  readonly keyVault: KeyVault
  /** Takes a passphrase that came through the contract, null forgets it; absent when the vault asks for none. */
  readonly acceptPassphrase?: (passphrase: string | null) => void
}

const hasCredential = (directory: string | undefined): boolean =>
  directory !== undefined && directory !== '' && existsSync(join(directory, vaultCredentialName))

const demoPassphraseFile = (home: HomePaths): string => join(home.home, 'demo-passphrase')

async function readLine(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('VAULT_LOCKED', `The passphrase file ${path} cannot be read.`, { data: { path }, cause })
  })
  return text.replace(/\r?\n$/, '')
}

const readIfThere = (path: string): Promise<string | null> =>
  readFile(path, 'utf8').then(
    (text) => text.replace(/\r?\n$/, ''),
    (error: unknown) => {
      if (hasErrorCode(error, 'ENOENT')) return null
      throw error
    },
  )

const lockedMessage =
  'The key vault is locked. Give its passphrase with --passphrase-file or LOCKSTEP_PASSPHRASE_FILE, ' +
  'provide the systemd credential lockstep-vault-key, or unlock it in the console.'

/**
 * The key vault of a host that runs without a keyring: the systemd credential where the service manager brings one (the
 * unit asks for it, and a machine may have none), otherwise a passphrase. Nothing is asked before a key is needed.
 */
export function hostVault(
  home: HomePaths,
  source: PassphraseSource,
  environment: NodeJS.ProcessEnv = process.env,
): HostVault {
  const credentialsDirectory = environment.CREDENTIALS_DIRECTORY
  if (hasCredential(credentialsDirectory)) {
    return { keyVault: createSystemdCredentialVault({ file: home.vaultFile, credentialsDirectory }) }
  }
  let accepted: string | null = null
  const passphrase = async (purpose: 'create' | 'unlock'): Promise<string> => {
    if (accepted !== null) return accepted
    const file = source.passphraseFile ?? environment.LOCKSTEP_PASSPHRASE_FILE
    if (file !== undefined && file !== '') return readLine(file)
    const demo = await readIfThere(demoPassphraseFile(home))
    if (demo !== null) return demo
    if (source.prompt !== undefined) {
      // Asked once: what unlocks the vault now unlocks it again later.
      accepted = await source.prompt(purpose)
      return accepted
    }
    throw new AppError('VAULT_LOCKED', lockedMessage)
  }
  const vault = createPassphraseVault({ file: home.vaultFile, passphrase })
  const inDemo = existsSync(demoPassphraseFile(home))
  return {
    // Said plainly wherever the vault is shown: whoever reads the home reads the passphrase.
    keyVault: inDemo ? { ...vault, describe: () => 'passphrase in a file beside it, for the demo only' } : vault,
    acceptPassphrase: (given) => {
      accepted = given
    },
  }
}

/**
 * A home that never had a vault and shall show the demo fleet gets a random passphrase in a file beside it: nobody is
 * asked, and nothing in it is worth more than the demo. A home with a vault is left as it is.
 */
export async function provideDemoPassphrase(
  home: HomePaths,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  if (environment.LOCKSTEP_PASSPHRASE_FILE || hasCredential(environment.CREDENTIALS_DIRECTORY)) return
  await prepareHome(home)
  if ((await readVaultKind(home.vaultFile)) !== undefined) return
  await createFileAtomic(demoPassphraseFile(home), `${randomBytes(24).toString('base64url')}\n`)
}
