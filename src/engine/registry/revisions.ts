import { createHash } from 'node:crypto'
import { entriesDigestText, noEntries, type RegistryEntries, readEntries } from '../../core/registry/registryEntries.ts'
import { AppError } from '../../shared/errors.ts'
import { Digest } from '../../shared/model/ids.ts'
import type { RegistryKind, RegistryRevision } from '../../shared/model/registry.ts'
import type { StoredRevision, StoreReader } from '../ports.ts'
import { comparable } from './sealedValues.ts'

/** A revision with what it says; number 0 and null stand for the state before the first one. */
export interface ReadRevision {
  readonly number: number
  readonly revision: RegistryRevision | null
  readonly content: RegistryEntries
}

/** Revisions as they were read; the last few are kept. */
export interface Revisions {
  /** @param number the newest when it is not given; 0 for the state before the first. @throws NOT_FOUND */
  read(reader: Pick<StoreReader, 'getRevision'>, registry: RegistryKind, number?: number): Promise<ReadRevision>
}

/** Of each registry: the newest, and what somebody compares it with. */
const keptRevisions = 4

export function createRevisions(): Revisions {
  const kept = new Map<string, RegistryEntries>()

  function contentOf(stored: StoredRevision): RegistryEntries {
    const { registry, number, digest } = stored.revision
    // With the digest: a number may have been given to something that was never committed.
    const key = `${registry} ${number} ${digest}`
    const content = kept.get(key) ?? readStored(stored)
    kept.delete(key)
    kept.set(key, content)
    for (const oldest of kept.keys()) if (kept.size > keptRevisions) kept.delete(oldest)
    return content
  }

  return {
    read: async (reader, registry, number) => {
      const stored = number === 0 ? null : await reader.getRevision(registry, number)
      if (stored !== null)
        return { number: stored.revision.number, revision: stored.revision, content: contentOf(stored) }
      if (number !== undefined && number !== 0)
        throw new AppError('NOT_FOUND', `There is no revision ${number} of the ${wordOf(registry)}.`)
      return { number: 0, revision: null, content: noEntries(registry) }
    },
  }
}

function readStored({ revision, text }: StoredRevision): RegistryEntries {
  const read = readEntries(revision.registry, text)
  if (read.ok) return read.content
  throw new AppError(
    'DATABASE_CORRUPT',
    `Revision ${revision.number} of the ${wordOf(revision.registry)} does not read.`,
  )
}

/** How a registry is called in sentences. */
export const wordOf = (registry: RegistryKind): string =>
  registry === 'services' ? 'service registry' : 'node registry'

/** Over everything that is registered; sensitive values count by their marks, so that nobody can test a guess. */
export function digestOf(content: RegistryEntries): Digest {
  return Digest.parse(
    createHash('sha256')
      .update(entriesDigestText(comparable(content)))
      .digest('hex'),
  )
}
