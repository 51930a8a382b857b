import type { RegistryEntries } from '../../core/registry/registryEntries.ts'
import { changeSensitive } from '../../core/registry/sensitive.ts'
import { openWithPassphrase, sealWithPassphrase } from './passphraseValues.ts'
import type { SealedValues } from './sealedValues.ts'

export interface ExportedContent {
  readonly content: RegistryEntries
  readonly sealedValues: number
  readonly leftOut: number
}

/** Registries on their way to another place, and from there. */
export interface Exports {
  /** With a passphrase, sensitive values are sealed with it; without, they are left out. */
  export(content: RegistryEntries, passphrase: string | undefined): Promise<ExportedContent>
  /** @throws VAULT_PASSPHRASE_WRONG */
  open(content: RegistryEntries, passphrase: string): Promise<RegistryEntries>
}

export function createExports(values: SealedValues): Exports {
  return {
    export: async (content, passphrase) => {
      if (passphrase === undefined) return withoutSensitive(content)
      const open = await values.open(content)
      return { ...(await sealWithPassphrase(open, passphrase)), leftOut: 0 }
    },
    open: openWithPassphrase,
  }
}

function withoutSensitive(content: RegistryEntries): ExportedContent {
  let leftOut = 0
  const without = changeSensitive(content, () => {
    leftOut += 1
    return { kind: 'nothing' }
  })
  return { content: without, sealedValues: 0, leftOut }
}
