import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'
import { RegistryKind } from '../../shared/model/registry.ts'
import { wordOf } from './options.ts'
import { readText } from './readText.ts'

const TextFormat = z.enum(['json', 'yaml'])
export type TextFormat = z.infer<typeof TextFormat>

export const registryWord = wordOf(RegistryKind)
export const registryHelp = 'services or nodes'
export const formatWord = wordOf(TextFormat)

/** The first line of a file: what editors put behind it is no part of a passphrase. */
export async function passphraseIn(path: string): Promise<string> {
  const [line = ''] = (await readText(path, 'The passphrase file')).split(/\r?\n/)
  if (line.length >= 8) return line
  throw new AppError('INVALID_INPUT', `The first line of ${path} is the passphrase; it needs 8 characters at least.`)
}
