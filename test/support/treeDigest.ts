import { createHash } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Names, types and content of a tree as one digest; leftovers of a transfer count. */
export async function treeDigest(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const sorted = entries
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .sort((left, right) => (left.path < right.path ? -1 : 1))
  for (const { entry, path } of sorted) {
    const name = path.slice(directory.length)
    if (entry.isSymbolicLink()) hash.update(`l ${name}\0${await readlink(path)}\0`)
    else if (entry.isDirectory()) hash.update(`d ${name}\0`)
    else hash.update(`f ${name}\0`).update(await readFile(path))
  }
  return hash.digest('hex')
}
